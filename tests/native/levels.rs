//! Code for every level of instructions can be made on any machine.

use super::compiled::{kernel, manifest, program, size};
use archc::kernel::{Amount, Form, Gemm, Matrix, Right};
use archc::target::{Level, Target};
use archc::tensor::Scalar;
use archc::{llvm, mlir};
use archc_runtime::abi::Size;

fn product() -> Form {
    let one = Amount::Constant(1);
    let matrix = |buffer, rows| Matrix { buffer, rows, columns: one, batch: Vec::new() };
    Form::Gemm(Gemm {
        batch: Vec::new(),
        m: size(0),
        n: size(1),
        k: size(2),
        a: matrix(0, size(2)),
        b: Right::Packed { buffer: 1, batch: Vec::new() },
        extras: Vec::new(),
        epilogue: Scalar::identity(),
        c: matrix(2, size(1)),
        accumulate: false,
        asked: None,
    })
}

#[test]
fn the_widest_registers_of_a_level_are_used_and_no_wider() {
    let program = program(kernel(2, 1, 3, product()), &vec![Size::Constant(0); 3], 1);
    for level in [Level::Baseline, Level::Avx2, Level::Avx512] {
        let target = Target::of(level);
        let text = mlir::write(&[&program], &manifest(), &target);
        let context = mlir::context();
        let module = mlir::lower(&context, &text).unwrap_or_else(|bug| panic!("{}", bug.detail));
        let assembly = llvm::assembly(&module, &target).unwrap_or_else(|bug| panic!("{}", bug.detail));
        assert_eq!(assembly.contains("%zmm"), level == Level::Avx512, "{level:?}");
        assert_eq!(assembly.contains("%ymm"), level == Level::Avx2, "{level:?}");
        assert_eq!(assembly.contains("vfmadd"), level >= Level::Avx2, "{level:?}");
    }
}
