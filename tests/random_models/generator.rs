//! Writes small models at random: any mixture of what the language has for whole sequences, in sizes nobody chose.

use archc::verify::weights::Random;

/// A choice after the other, all from one seed.
struct Writer {
    random: Random,
    lines: Vec<String>,
    /// Numbers labels, so that no two are alike.
    labels: usize,
}

/// Sizes that several parts share.
struct Sizes {
    width: usize,
    layers: usize,
    vocabulary: usize,
}

/// The text of the model of a seed.
pub fn write(seed: u64) -> String {
    let mut writer = Writer { random: Random::new(seed), lines: Vec::new(), labels: 0 };
    writer.model()
}

impl Writer {
    fn below(&mut self, count: usize) -> usize {
        (self.random.bits() % count as u64) as usize
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one<'o>(&mut self, options: &[&'o str]) -> &'o str {
        options[self.below(options.len())]
    }

    fn label(&mut self, name: &str) -> String {
        self.labels += 1;
        format!("{name}{}", self.labels)
    }

    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn model(&mut self) -> String {
        let sizes = Sizes { width: self.between(3, 19), layers: self.between(1, 3), vocabulary: self.between(2, 37) };
        let Sizes { width, layers, vocabulary } = sizes;
        self.line(format!("  set layers = {layers}\n  dim t, d = {width}, v = {vocabulary}, n = 16"));
        self.line("  input ids[t] : v, keep[t] : bool = true\n  param table[v, d]");
        let places = match self.below(3) {
            0 => {
                self.line("  param places[n, d]");
                " + places[n: t]"
            }
            1 => " + sin(0.3 * t + d)",
            _ => "",
        };
        let tied = self.chance(50);
        self.line(if tied { "  set scale = 1" } else { "  param head[v, d]" });
        self.line(format!("  x = table[v: ids]{places}"));
        self.layers(&sizes);
        if self.chance(40) {
            self.change("  ");
        }
        let last = self.normed("x");
        let head = if tied { "table * scale" } else { "head" };
        self.line(format!("  last = {last}\n  output logits = sum[d](last * {head})"));
        self.line("  train next_token(self, ids, keep)");
        if self.chance(30) {
            self.line("  loss 0.01 * mean[batch, t](sum[d](last * last))");
        }
        format!("{OWN_BLOCKS}model Random {{\n{}\n}}\n", self.lines.join("\n"))
    }

    fn layers(&mut self, sizes: &Sizes) {
        self.line("  for i in layers {");
        if self.chance(30) {
            self.line("    match i % 2 == 0 {\n    true => {");
            self.layer(sizes);
            self.line("    }\n    false => {");
            self.layer(sizes);
            self.line("    }\n    }");
        } else {
            self.layer(sizes);
        }
        self.line("  }");
    }

    fn layer(&mut self, sizes: &Sizes) {
        if self.chance(85) {
            let mixed = self.mixer(sizes);
            self.line(format!("    x += {mixed}"));
        }
        if self.chance(50) {
            self.change("    ");
        }
        if self.chance(85) {
            let fed = self.feed();
            self.line(format!("    x += {fed}"));
        }
    }

    /// A value under a norm, or none.
    fn normed(&mut self, value: &str) -> String {
        let label = self.label("norm");
        match self.below(5) {
            0 => format!("{label}: layernorm({value})"),
            1 => format!("{label}: layernorm({value}, 1e-3, bias = false)"),
            2 => format!("l2norm({value}, 1e-3)"),
            3 => format!("0.7 * {value}"),
            _ => format!("{label}: rmsnorm({value})"),
        }
    }

    /// Something that reads other positions.
    fn mixer(&mut self, sizes: &Sizes) -> String {
        let (input, label) = (self.normed("x"), self.label("mix"));
        match self.below(8) {
            0 => format!("{label}: shifted({input})"),
            1 => format!("cumsum({input}) / (1 + t)"),
            2 => format!("{label}: decaying({input})"),
            3 => {
                let heads = (1..=sizes.width).filter(|heads| sizes.width.is_multiple_of(*heads)).collect::<Vec<_>>();
                let heads = heads[self.below(heads.len())];
                let bias = self.chance(50);
                format!("{label}: attention({input}, {heads}, bias = {bias})")
            }
            _ => self.grouped(&input, &label),
        }
    }

    fn grouped(&mut self, input: &str, label: &str) -> String {
        let groups = self.between(1, 3);
        let heads = groups * self.between(1, 3);
        let width = 2 * self.between(1, 5);
        let mut text = format!("{label}: gqa({input}, {heads}, {groups}, 100.0, width = {width}");
        let window = self.between(1, 6);
        let options = [
            format!(", window = {window}"),
            ", bias = true".into(),
            ", out_bias = true".into(),
            ", qk_norm = true".into(),
            ", turn = false".into(),
            ", pairs = adjacent".into(),
            ", scaling = linear, factor = 2.0".into(),
        ];
        for option in options {
            if self.chance(35) {
                text.push_str(&option);
            }
        }
        text + ")"
    }

    /// Something that each position does by itself.
    fn feed(&mut self) -> String {
        let (input, label, hidden) = (self.normed("x"), self.label("ffn"), self.between(2, 23));
        match self.below(3) {
            0 => format!("{label}: swiglu({input}, {hidden})"),
            _ => {
                let act = self.one(&["relu", "silu", "gelu", "gelu_tanh", "sigmoid", "softplus", "bent"]);
                let bias = self.chance(50);
                format!("{label}: mlp({input}, {hidden}, {act}, bias = {bias})")
            }
        }
    }

    /// A change of the stream that no library block makes.
    fn change(&mut self, indent: &str) {
        let changes = [
            "x += 0.3 * sin(2 * x)",
            "x *= 1 + 0.2 * tanh(x)",
            "x = max(x, 0.1 * x)",
            "x = min(x, 2.5) + 0.05 * abs(x)",
            "x += 0.2 * mean[d](x)",
            "x += 0.1 * max[d](x) - 0.1 * min[d](x)",
            "x = x where t % 3 != 1 else 0.5 * x",
            "x = 0.4 * x where x < 0.2",
            "x = x - 0.5 * mean[d](x where d % 2 == 0 else 0)",
            "x += 0.1 * sum[d](x where d < 3)",
            "x += 0.3 * x[t: t - 1 else 0]",
            "x += 0.2 * (x[t: t - 2] where t % 2 == 0 else x)",
            "x = 0.9 * x + 0.1 * x ^ 2",
            "x += 0.1 * log(1 + exp(min(x, 20)))",
            "x = x / (1 + abs(x)) + 0.01 * t",
            "x += 0.1 * prod[d](1 + 0.05 * x)",
            "x *= sqrt(1 + x * x) / (1 + |d|)",
            "x += 0.2 * (x where top[d](x, 2) else 0)",
            "x += 0.1 * rank[d](x)",
            "x = x where any[d](x > 0.1) else -x",
            "x = x where ids % 2 == 0 else 0.5 * x + 0.1",
        ];
        let change = self.one(&changes);
        self.line(format!("{indent}{change}"));
    }
}

/// Blocks that no library has.
const OWN_BLOCKS: &str = "\
block bent(x) -> y { return x / sqrt(1 + x * x) + 0.1 * erf(x) }
block shifted[t, d](x[t, d]) -> [t, d] {
  dim j = 3
  param w[d, j] ~ normal(0, 0.3), b[d] = 0
  return sum[j](w * x[t: t + j + 1 - |j|]) + b
}
block decaying(x[t, d]) -> [t, d] {
  dim s like t, m = 4
  param rate[m] = 0.5, into[d, m], gate[d, m], out[m, d]
  u = sum[d](x * into)
  y = sum[s](exp(-abs(rate) * (t - s)) * u[t: s] where s <= t)
  return sum[m](y * sigmoid(sum[d](x * gate)) * out)
}
";
