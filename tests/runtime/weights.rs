//! Weights go out and come back in both forms, and every damaged or foreign file is refused with its reason.

use super::fake;
use archc_runtime::model::Loaded;
use archc_runtime::weights::{Form, load, save};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A model, a folder, and the model's weights in it.
fn saved(form: Form) -> (Loaded, TempDir, PathBuf) {
    let (mut model, folder) = (fake::model(1, 5), tempfile::tempdir().unwrap());
    let path = folder.path().join("model.safetensors");
    save(&mut model, &path, form).unwrap();
    (model, folder, path)
}

fn values(model: &Loaded) -> Vec<f32> {
    model.parameters()[0].slice().to_vec()
}

/// The message of a load that must fail, and leave the model as it was.
fn refusal(path: &Path) -> String {
    let mut model = fake::model(1, 6);
    let before = values(&model);
    let message = load(&mut model, path).unwrap_err().to_string();
    assert_eq!(values(&model), before);
    message
}

/// Writes one tensor as a safetensors file by hand.
fn write(path: &Path, name: &str, dtype: &str, shape: &[usize], bytes: &[u8]) {
    let header = format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#, bytes.len());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(bytes);
    fs::write(path, file).unwrap();
}

#[test]
fn both_forms_come_back_as_they_were() {
    for form in [Form::Native, Form::Published] {
        let (model, folder, path) = saved(form);
        for place in [path.as_path(), folder.path()] {
            let mut other = fake::model(1, 6);
            assert_eq!(load(&mut other, place).unwrap(), form);
            assert_eq!(values(&model), values(&other));
        }
    }
}

#[test]
fn shards_are_found_by_their_index() {
    let (model, folder, path) = saved(Form::Published);
    fs::rename(&path, folder.path().join("part-1.safetensors")).unwrap();
    let index = r#"{"weight_map": {"model.table.0": "part-1.safetensors", "model.table.1": "part-1.safetensors"}}"#;
    fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let mut other = fake::model(1, 6);
    load(&mut other, folder.path()).unwrap();
    assert_eq!(values(&model), values(&other));
}

#[test]
fn halves_are_widened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    for (dtype, one) in [("F16", 0x3C00u16), ("BF16", 0x3F80)] {
        let bytes: Vec<u8> = std::iter::repeat_n(one.to_le_bytes(), 256 * 256).flatten().collect();
        write(&path, "scores.table", dtype, &[256, 256], &bytes);
        let mut model = fake::model(1, 6);
        load(&mut model, &path).unwrap();
        assert!(values(&model).iter().all(|value| *value == 1.0), "{dtype}");
    }
}

#[test]
fn a_file_cut_short_is_named_so() {
    let (_, _folder, path) = saved(Form::Native);
    let bytes = fs::read(&path).unwrap();
    for length in [0, 4, 40, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let message = refusal(&path);
        assert!(message.contains("whole safetensors file") || message.contains("cannot read"), "{length}: {message}");
    }
}

#[test]
fn wrong_names_shapes_types_and_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let zeros = vec![0u8; 256 * 256 * 4];
    write(&path, "scores.tabel", "F32", &[256, 256], &zeros);
    assert!(refusal(&path).contains("no weight of the model Bag"));
    write(&path, "scores.table", "F32", &[128, 512], &zeros);
    assert!(refusal(&path).contains("has shape [128, 512], the model wants [256, 256]"));
    write(&path, "scores.table", "I32", &[256, 256], &zeros);
    assert!(refusal(&path).contains("I32"));
    let mut bad = zeros.clone();
    bad[400..404].copy_from_slice(&f32::NAN.to_le_bytes());
    write(&path, "scores.table", "F32", &[256, 256], &bad);
    assert!(refusal(&path).contains("is NaN at element 100"));
    assert!(refusal(&folder.path().join("absent")).contains("cannot open"));
}

#[test]
fn a_tensor_that_nothing_explains_is_refused_unless_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    write(&path, "model.table.0", "F32", &[256, 128], &vec![0; 256 * 128 * 4]);
    assert!(refusal(&path).contains("no tensor `model.table.1`"));
    write(&path, "model.tabel.0", "F32", &[1], &[0; 4]);
    assert!(refusal(&path).contains("no weight of the model"));
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let (mut model, folder, path) = saved(Form::Native);
    let before = fs::read(&path).unwrap();
    let part = folder.path().join(".model.safetensors.part");
    fs::create_dir(&part).unwrap();
    let message = save(&mut model, &path, Form::Native).unwrap_err().to_string();
    assert!(message.contains("cannot write"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn equal_weights_are_equal_files() {
    let (mut model, folder, path) = saved(Form::Native);
    let again = folder.path().join("again.safetensors");
    save(&mut model, &again, Form::Native).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
