//! A training that was stopped goes on bit for bit; what does not fit together is refused.

use super::fake;
use archc_runtime::checkpoint;
use archc_runtime::data::{Split, Tokens};
use archc_runtime::random::Stream;
use archc_runtime::recipe::Recipe;
use archc_runtime::source::{Recall, Source};
use archc_runtime::tokenizer::Tokenizer;
use archc_runtime::train::{Folder, Outcome, Plot, ProgressLine, Training, rate_at};
use archc_runtime::{Result, evaluate};
use std::fs;
use std::path::Path;

const TEXT: &str = "the cat sat on the mat and the dog sat on the log while the hen sat on the pen ";

fn tokens() -> Tokens {
    Tokens::Bytes(TEXT.repeat(40).into_bytes())
}

fn recipe(changes: &[(&str, &str)]) -> Recipe {
    let text = "batch: 4\ncontext: 8\nsteps: 40\nwarmup: 5\nlog_every: 1\nsave_every: 7\nevaluate_every: 20\nlearning_rate: 0.05";
    let changes: Vec<(String, String)> = changes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Recipe::parse(text, "recipe", &changes).unwrap()
}

/// Trains from the start, or on from the folder's checkpoint.
fn train(folder: &Path, recipe: &Recipe, threads: usize, resume: bool) -> Result<Outcome> {
    let (mut model, tokens, folder) = (fake::model(threads, 9), tokens(), Folder::open(folder)?);
    let source = Source::text(&tokens, recipe, &model)?;
    let mut training = Training::new(&mut model, recipe, source)?;
    if resume {
        training.resume(&folder)?;
    }
    training.run(&folder, &mut ProgressLine::Silent, None)
}

/// The curve without its last column, which depends on the clock.
fn curve(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("metrics.csv")).unwrap();
    text.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect()
}

/// All lines but that of the step at which the first part ended early.
fn without_step_23(curve: &str) -> Vec<&str> {
    curve.lines().filter(|line| !line.starts_with("23,")).collect()
}

#[test]
fn a_resumed_training_gives_the_same_curve_on_any_number_of_threads() {
    for changes in [
        &[("schedule", "constant")][..],
        &[("schedule", "constant"), ("accumulate", "3"), ("optimizer", "sgd"), ("momentum", "0.9")],
    ] {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (recipe, mut short) = (recipe(changes), recipe(changes));
        short.steps = 23;
        train(whole.path(), &recipe, 1, false).unwrap();
        train(parts.path(), &short, 2, false).unwrap();
        // What a run that was then killed had written after its last checkpoint, the last line cut off:
        let lines = fs::read_to_string(parts.path().join("metrics.csv")).unwrap();
        fs::write(parts.path().join("metrics.csv"), lines + "24,1,2.0,,,1.0,1.0,5.0\n25,7").unwrap();
        train(parts.path(), &recipe, 1, true).unwrap();
        let (left, right) = (curve(whole.path()), curve(parts.path()));
        assert_eq!(without_step_23(&left), without_step_23(&right));
    }
}

#[test]
fn training_lowers_the_validation_loss() {
    let folder = tempfile::tempdir().unwrap();
    let (mut model, tokens) = (fake::model(1, 1), tokens());
    let before = evaluate::loss(&mut model, &tokens, 2000..2600, 8, 3).unwrap();
    let recipe = recipe(&[("weight_decay", "0")]);
    let source = Source::text(&tokens, &recipe, &model).unwrap();
    let mut training = Training::new(&mut model, &recipe, source).unwrap();
    let outcome = training.run(&Folder::open(folder.path()).unwrap(), &mut ProgressLine::Silent, None).unwrap();
    assert!(before > 5.4 && outcome.validation.unwrap().loss < 4.3, "{before} {outcome:?}");
}

#[test]
fn a_row_of_recall_states_pairs_and_asks_for_each_once() {
    let (pairs, window) = (5, 33);
    let task = Recall::new(pairs, 40, window).unwrap();
    let (mut ids, mut counted) = (vec![0; window], vec![0; window]);
    for row in 0..50 {
        task.fill(Stream::new(3, "rows").of(row), &mut ids, &mut counted);
        let stated = ids[..2 * pairs].chunks(2).collect::<Vec<_>>();
        assert!(stated.iter().all(|pair| (1..20).contains(&pair[0]) && (20..40).contains(&pair[1])), "{ids:?}");
        let answers = (0..window).filter(|place| counted[*place] == 1).collect::<Vec<_>>();
        let mut asked = answers.iter().map(|place| &ids[place - 1..=*place]).collect::<Vec<_>>();
        let blanks = ids[2 * pairs..].iter().filter(|id| **id == 0).count();
        assert_eq!(blanks, window - 4 * pairs, "{ids:?}");
        let mut stated = stated.clone();
        asked.sort();
        stated.sort();
        assert_eq!(asked, stated, "{ids:?}");
        assert!(stated.windows(2).all(|two| two[0][0] != two[1][0]), "a key has two values: {ids:?}");
    }
    assert!(Recall::new(9, 40, 33).unwrap_err().to_string().contains("no room"));
    assert!(Recall::new(8, 16, 33).unwrap_err().to_string().contains("keys"));
}

#[test]
fn curves_of_several_trainings_are_drawn_in_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    train(&other, &recipe(&[("learning_rate", "0.01")]), 1, false).unwrap();
    train(&one, &recipe(&[]), 1, false).unwrap();
    let plot = Plot { path: one.join("curve.svg"), beside: vec![other] };
    plot.draw(&one.join("metrics.csv")).unwrap();
    let picture = fs::read_to_string(one.join("curve.svg")).unwrap();
    let says = |text: &str| assert!(picture.contains(text), "no {text} in {picture}");
    ["one: ", "other: ", "in validation", "step", "loss (nats)"].into_iter().for_each(says);
    // Two validation points each, a line for them, and one for the training loss.
    assert_eq!(picture.matches("<circle").count(), 4, "{picture}");
    assert!(Plot { beside: vec!["nowhere".into()], ..plot }.draw(&one.join("metrics.csv")).is_err());
}

#[test]
fn the_validation_loss_does_not_depend_on_the_batch() {
    let (mut model, tokens) = (fake::model(1, 1), tokens());
    let losses = [1, 7, 100].map(|batch| evaluate::loss(&mut model, &tokens, 2000..2603, 8, batch).unwrap());
    assert!((losses[0] - losses[1]).abs() < 1e-5 && (losses[0] - losses[2]).abs() < 1e-5, "{losses:?}");
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), &recipe(&[]), 1, false).unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    assert_eq!(checkpoint::peek(&path).unwrap().step, 40);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let message = train(folder.path(), &recipe(&[]), 1, true).unwrap_err().to_string();
    assert!(message.contains("damaged"), "{message}");
    fs::write(&path, &bytes[..middle]).unwrap();
    let message = train(folder.path(), &recipe(&[]), 1, true).unwrap_err().to_string();
    assert!(message.contains("not a whole safetensors file"), "{message}");
}

#[test]
fn a_training_is_not_overwritten_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), &recipe(&[("steps", "6")]), 1, false).unwrap();
    let message = Folder::open(folder.path()).unwrap().must_be_new().unwrap_err().to_string();
    assert!(message.contains("--resume"), "{message}");
}

#[test]
fn too_little_text_and_unknown_ids_are_refused() {
    assert!(Split::new(50, 0.1, 9).unwrap_err().to_string().contains("too few"));
    assert!(Tokens::Ids(vec![1, 300]).check(Some(256)).unwrap_err().to_string().contains("300"));
    assert!(Tokens::read(&["no/such".into()], &Tokenizer::Bytes).is_err());
}

#[test]
fn recipes_name_the_key_that_is_wrong() {
    let message = |text: &str| Recipe::parse(text, "r.yaml", &[]).unwrap_err().to_string();
    assert!(message("learning_rat: 1").contains("did you mean `learning_rate`"));
    assert!(message("batch: many").contains("`batch`"));
    assert!(message("batch: 0").contains("at least 1"));
    assert!(message("- 1").contains("not a list of keys"));
    assert!(message("a: [").contains("not YAML"));
    let changed =
        Recipe::parse("batch: 3", "r", &[("batch".into(), "5".into()), ("data".into(), "[a, b]".into())]).unwrap();
    assert_eq!((changed.batch, changed.data.0.len()), (5, 2));
    assert_eq!(Recipe::parse(&changed.to_yaml(), "r", &[]).unwrap(), changed);
}

#[test]
fn every_key_has_its_line_in_the_table() {
    let names: Vec<&str> = archc_runtime::recipe::KEYS.iter().map(|key| key.name).collect();
    let text = Recipe::default().to_yaml();
    let fields: Vec<&str> = text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    assert_eq!(names, fields);
    for key in archc_runtime::recipe::KEYS.iter().filter(|key| key.name != "data") {
        let written = Recipe::parse(&format!("{}: {}", key.name, key.default), "r", &[]).unwrap();
        assert_eq!(written, Recipe::default(), "{}", key.name);
    }
}

#[test]
fn the_rate_rises_then_falls_to_the_minimum() {
    let recipe = recipe(&[("minimum_rate", "0.01")]);
    assert!((rate_at(&recipe, 0) - 0.01).abs() < 1e-12 && (rate_at(&recipe, 4) - 0.05).abs() < 1e-12);
    assert!(rate_at(&recipe, 20) > rate_at(&recipe, 30) && (rate_at(&recipe, 40) - 0.01).abs() < 1e-12);
}

#[test]
fn the_recipes_beside_the_examples_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        Recipe::read(Some(&path), &[]).unwrap();
    }
}
