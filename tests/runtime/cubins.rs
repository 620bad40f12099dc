//! What a GPU's driver has compiled: kept whole or not at all, found for the same code on the same machine alone.

use archc_runtime::device::{Cubins, Found, Origin, patiently};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

const ORIGIN: Origin<'_> = Origin { name: "NVIDIA H100", capability: [9, 0], driver: 13000, code: b".version 8.0" };

fn folder() -> (tempfile::TempDir, Cubins) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cubins = Cubins::new(folder.path().join("deeper").join("archc"));
    (folder, cubins)
}

#[test]
fn compiled_code_is_found_again_for_the_same_code_gpu_and_driver_alone() {
    let (_folder, cubins) = folder();
    assert_eq!(cubins.find(&ORIGIN), Found::Nothing);
    cubins.keep(&ORIGIN, b"code").expect("can be written");
    assert_eq!(cubins.find(&ORIGIN), Found::Code(b"code".to_vec()));
    let others = [
        Origin { name: "NVIDIA H200", ..ORIGIN },
        Origin { capability: [9, 1], ..ORIGIN },
        Origin { driver: 13010, ..ORIGIN },
        Origin { code: b".version 8.1", ..ORIGIN },
        Origin { name: "NVIDIA H1009", capability: [0, 0], ..ORIGIN },
    ];
    for other in others {
        assert_eq!(cubins.find(&other), Found::Nothing, "{other:?}");
    }
    cubins.keep(&ORIGIN, b"newer").expect("can be written");
    assert_eq!(cubins.find(&ORIGIN), Found::Code(b"newer".to_vec()));
}

#[test]
fn a_file_that_is_not_whole_is_damaged() {
    let (_folder, cubins) = folder();
    cubins.keep(&ORIGIN, b"code of a gpu").expect("can be written");
    let path = cubins.path(&ORIGIN);
    let whole = std::fs::read(&path).expect("is there");
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("can be written");
        assert_eq!(cubins.find(&ORIGIN), Found::Damaged(path.clone()), "{length} bytes");
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 4;
        std::fs::write(&path, changed).expect("can be written");
        assert_eq!(cubins.find(&ORIGIN), Found::Damaged(path.clone()), "byte {place}");
    }
    cubins.keep(&ORIGIN, b"anew").expect("can be written");
    assert_eq!(cubins.find(&ORIGIN), Found::Code(b"anew".to_vec()));
}

#[test]
fn the_oldest_code_goes_where_there_is_no_room_for_all() {
    let (_folder, cubins) = folder();
    let origins = [1, 2, 3].map(|driver| Origin { driver, ..ORIGIN });
    let size = {
        cubins.keep(&origins[0], &[1; 100]).expect("can be written");
        std::fs::metadata(cubins.path(&origins[0])).expect("is there").len()
    };
    let cubins = cubins.with_room(2 * size);
    for origin in &origins[1..] {
        sleep(Duration::from_millis(20));
        cubins.keep(origin, &[2; 100]).expect("can be written");
    }
    let found = origins.map(|origin| cubins.find(&origin) != Found::Nothing);
    assert_eq!(found, [false, true, true]);
}

/// What is said while something takes so long.
fn said(milliseconds: u64) -> (Vec<String>, u64) {
    let lines = Mutex::new(Vec::new());
    let say = |line: &str| lines.lock().expect("nobody panics").push(line.to_string());
    let result = patiently(Duration::from_millis(200), ("begun", "done"), &say, || {
        sleep(Duration::from_millis(milliseconds));
        milliseconds
    });
    (lines.into_inner().expect("nobody panics"), result)
}

#[test]
fn only_what_takes_long_is_told_of() {
    assert_eq!(said(0), (vec![], 0));
    assert_eq!(said(700), (vec!["begun".to_string(), "done after 1 s".to_string()], 700));
}
