//! The keys of a recipe, for files, options and help.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file. As an option, underscores are dashes.
    pub name: &'static str,
    /// What it is, with unit and range.
    pub doc: &'static str,
    /// The default, as one would write it.
    pub default: &'static str,
}

const fn key(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, doc, default }
}

/// All keys, in the order of the help.
pub const KEYS: &[Key] = &[
    key("data", "none", "text to train on: a file or a folder; in a recipe also a list"),
    key("task", "none", "data made as it goes instead of a text: `mqar`, values recalled by their keys"),
    key("pairs", "8", "mqar: pairs of key and value that a row states and then asks for"),
    key("tokenizer", "bytes", "`bytes`, or the path of a Hugging Face tokenizer.json"),
    key("validation", "0.1", "the last share of the data, never trained on"),
    key("out", "run", "the folder for checkpoint, weights and metrics"),
    key("steps", "2000", "optimizer steps"),
    key("batch", "12", "rows of a batch"),
    key("context", "64", "tokens that a row predicts"),
    key("accumulate", "1", "batches whose gradients make one step"),
    key("seed", "1", "decides initial values and batches"),
    key("optimizer", "adamw", "`adamw` or `sgd`"),
    key("learning_rate", "1e-3", "the highest learning rate"),
    key("minimum_rate", "1e-4", "the last learning rate of `cosine` and `linear`"),
    key("warmup", "100", "steps in which the learning rate rises"),
    key("schedule", "cosine", "`cosine`, `linear` or `constant` after the warm-up"),
    key("beta1", "0.9", "AdamW: how slowly the mean of gradients moves"),
    key("beta2", "0.99", "AdamW: how slowly the mean of squared gradients moves"),
    key("epsilon", "1e-8", "AdamW: added to the root of the mean square"),
    key("momentum", "0", "SGD: how much of the last step is kept"),
    key("weight_decay", "0.1", "the share of a weight that is taken away, times the learning rate"),
    key("decay_vectors", "false", "whether parameters of one axis (norms, biases) decay too"),
    key("clip", "1", "the largest norm of all gradients together; 0 is off"),
    key("evaluate_every", "250", "steps between looks at the validation loss; 0 is at the end only"),
    key("save_every", "500", "steps between checkpoints; 0 is at the end only"),
    key("log_every", "10", "steps between lines of progress and metrics"),
];
