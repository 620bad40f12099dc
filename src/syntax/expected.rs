//! Names what the grammar expected, in a reader's words: pest's rules in, `` `,` or `)` `` out.

use super::grammar::Rule;

/// "a name", "`,` or `)`", "an expression".
pub(super) fn describe(rules: &[Rule]) -> String {
    let mut words = Vec::<&str>::new();
    for rule in rules {
        let word = word(*rule);
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    if words.contains(&EXPRESSION) {
        words.retain(|word| !BEGINS_EXPRESSION.contains(word));
    }
    if words.contains(&OPERATOR) {
        words.retain(|word| !CONTINUES_EXPRESSION.contains(word));
    }
    if words.contains(&LINE) {
        words = vec![LINE];
    }
    // What closes is what a reader looks for first; an operator is always possible.
    words.sort_by_key(|word| (*word == OPERATOR, *word == END));
    join(&words)
}

fn join(words: &[&str]) -> String {
    match words {
        [] => "something else".to_string(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

const EXPRESSION: &str = "an expression";
const OPERATOR: &str = "an operator";
const LINE: &str = "the beginning of a line (a name, or a word such as `param` or `return`)";
const END: &str = "the end of the line";
const NAME: &str = "a name";
const BEGINS_EXPRESSION: &[&str] = &[NAME, "a number", "`(`", "`[`", "`|`", "`match`", "a text in quotes"];
const CONTINUES_EXPRESSION: &[&str] = &["`(`", "`[`", "`:`", "`.`", "`in`"];

/// The word for one rule; empty if it would only confuse.
fn word(rule: Rule) -> &'static str {
    use Rule::*;
    match rule {
        expression | guarded | value | operand | parenthesis | argument | truth | infinity | size | list | hole
        | given | call | select => EXPRESSION,
        or | and | equal | unequal | at_most | at_least | less | greater | within | plus | minus | times | whole
        | over | remainder | power | k_where | k_else | index | element | field => OPERATOR,
        not | negative | otherwise | k_shared | label => "",
        dim | set | param | input | output | train | generate | require | update | loss | yields | returns | region
        | region_head | only_line | choice | bind | bind_draw | k_dim | k_set | k_param | k_buffer => LINE,
        EOI => END,
        name | target | entry | made | setting | dim_axis | demand | net | count | place | law | use_path | step
        | path => NAME,
        _ => punctuation(rule),
    }
}

fn punctuation(rule: Rule) -> &'static str {
    use Rule::*;
    match rule {
        comma => "`,`",
        colon | typed => "`:`",
        dot => "`.`",
        arrow => "`->`",
        equals => "`=`",
        add_equals => "`+=`",
        times_equals => "`*=`",
        draw => "`~`",
        leads => "`=>`",
        bar => "`|`",
        maybe => "`?`",
        slot_plus => "`+`",
        round_open | parameters | arguments | joined => "`(`",
        group => "a group such as `(p i)`",
        round_close => "`)`",
        square_open | axes | bound | demands => "`[`",
        square_close => "`]`",
        brace_open | body | weights_body | use_names | parts => "`{`",
        brace_close => "`}`",
        _ => reserved(rule),
    }
}

fn reserved(rule: Rule) -> &'static str {
    use Rule::*;
    match rule {
        number => "a number",
        string | quote | template => "a text in quotes",
        pattern | way | only_arm => "a pattern (a word, a number, `true`, `false` or `_`)",
        k_in => "`in`",
        k_like => "`like`",
        k_if => "`if`",
        k_for => "`for`",
        k_match => "`match`",
        reverse | k_reverse => "`reverse`",
        until | k_until => "`until`",
        w_as => "`as`",
        w_also | also => "`also`",
        layout | product | order => "an axis",
        results | result | one_result => "a result such as `[t, d]`",
        use_line | only_use => "`use`",
        block | block_head => "`block`",
        model | model_head => "`model`",
        weights | weights_head => "`weights`",
        config | ignore | named_input | named_value | mapping | only_weight_line | w_config | w_ignore | w_value => {
            "a line of a weight map (`config`, `ignore`, `value`, or `path = \"name\"`)"
        }
        _ => "",
    }
}
