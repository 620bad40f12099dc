//! Text becomes ids and comes back, whole characters only.

use archc_runtime::tokenizer::{TextStream, Tokenizer};
use std::fs;

/// A tokenizer.json of a byte-level BPE with no merges.
fn trained() -> (tempfile::TempDir, Tokenizer) {
    let folder = tempfile::tempdir().unwrap();
    let json = r#"{"version":"1.0","truncation":null,"padding":null,"normalizer":null,
        "added_tokens":[{"id":4,"content":"<end>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
        "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
        "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
        "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
        "fuse_unk":false,"byte_fallback":false,"vocab":{"a":0,"b":1,"ab":2,"Ġ":3},"merges":["a b"]}}"#;
    fs::write(folder.path().join("tokenizer.json"), json).unwrap();
    fs::write(folder.path().join("config.json"), r#"{"eos_token_id": [4, 1]}"#).unwrap();
    let tokenizer = Tokenizer::open(folder.path().to_str().unwrap()).unwrap();
    (folder, tokenizer)
}

#[test]
fn bytes_come_back_and_never_as_half_a_character() {
    let tokenizer = Tokenizer::open("bytes").unwrap();
    let ids = tokenizer.encode("né €🙂", true).unwrap();
    assert_eq!(ids.len(), 11);
    let mut stream = TextStream::new(&tokenizer);
    let pieces: Vec<String> = ids.iter().map(|id| stream.push(*id).unwrap()).filter(|text| !text.is_empty()).collect();
    assert_eq!(pieces, ["n", "é", " ", "€", "🙂"]);
    stream.push(0xE2).unwrap();
    assert_eq!(stream.finish().unwrap(), "\u{FFFD}");
}

#[test]
fn a_trained_tokenizer_is_read_with_its_end_tokens() {
    let (_folder, tokenizer) = trained();
    assert_eq!(tokenizer.encode("ab a", true).unwrap(), [2, 3, 0]);
    assert_eq!(tokenizer.decode(&[2, 3, 0, 4]).unwrap(), "ab a");
    assert_eq!((tokenizer.id_of("<end>"), tokenizer.end_tokens()), (Some(4), vec![4, 1]));
}

#[test]
fn what_is_no_tokenizer_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    fs::write(&path, "{}").unwrap();
    let message = |name: &str| Tokenizer::open(name).unwrap_err().to_string();
    assert!(message(path.to_str().unwrap()).contains("is not a tokenizer"));
    assert!(message("no/such/file").contains("`bytes`"));
}
