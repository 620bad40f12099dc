//! Blocks are zeroed and aligned; packed buffers that meet in time are apart in memory.

use archc_runtime::abi::{BUFFER_ALIGNMENT, Element};
use archc_runtime::memory::{Block, Lifetime, Tensor, pack};

#[test]
fn blocks_are_zero_and_aligned() {
    for bytes in [0, 1, 4096, 5 << 20] {
        let block = Block::zeroed(bytes).unwrap();
        assert_eq!(block.address() as usize % BUFFER_ALIGNMENT, 0);
        assert!(block.bytes().len() == bytes && block.bytes().iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_tensor_that_cannot_exist_is_an_error() {
    assert!(Tensor::zeros(Element::F32, &[-1]).is_err());
    assert!(Tensor::zeros(Element::F32, &[i64::MAX, 2]).is_err());
    assert!(Tensor::zeros(Element::F32, &[1 << 60]).unwrap_err().to_string().contains("not enough memory"));
}

#[test]
fn buffers_that_meet_in_time_are_apart_in_memory() {
    let buffers: Vec<Lifetime> = (0..200usize)
        .map(|at| Lifetime { bytes: 1 + at * 7919 % 5000, first: at * 31 % 90, last: at * 31 % 90 + at * 17 % 12 })
        .collect();
    let (offsets, total) = pack(&buffers);
    for (one, left) in buffers.iter().enumerate() {
        assert!(offsets[one] % BUFFER_ALIGNMENT == 0 && offsets[one] + left.bytes <= total);
        for (two, right) in buffers.iter().enumerate().skip(one + 1) {
            let together = left.first <= right.last && right.first <= left.last;
            let apart = offsets[one] + left.bytes <= offsets[two] || offsets[two] + right.bytes <= offsets[one];
            assert!(!together || apart, "{one} and {two}");
        }
    }
}

#[test]
fn a_chain_of_buffers_needs_only_two_places() {
    let chain: Vec<Lifetime> = (0..10).map(|at| Lifetime { bytes: 640, first: at, last: at + 1 }).collect();
    assert_eq!(pack(&chain).1, 1280);
}
