//! What the threads of a warp ask of tensor cores, and copies that go on beside them.

use crate::gpu::Precision;
use crate::mlir::text::{Kind, Type, Value, Writer};

const FOUR_WORDS: &str = "!llvm.struct<(i32, i32, i32, i32)>";
const FOUR_FLOATS: &str = "!llvm.struct<(f32, f32, f32, f32)>";

impl Writer {
    /// An address in shared or global memory, where an instruction must know which.
    pub fn in_space(&mut self, address: Value, space: usize) -> Value {
        self.define(address.ty, format!("llvm.addrspacecast {address} : !llvm.ptr to !llvm.ptr<{space}>"))
    }

    /// Starts a copy of so many bytes, of which those past the given ones become 0 and are not read.
    pub fn copy_to_shared(&mut self, to: Value, from: Value, bytes: usize, given: Value) {
        let (to, from) = (self.in_space(to, 3), self.in_space(from, 1));
        let given = self.cast("arith.trunci", given, Kind::I32);
        let cache = if bytes == 16 { "cg" } else { "ca" };
        self.line(format!(
            "nvvm.cp.async.shared.global {to}, {from}, {bytes}, cache = {cache}, {given} : \
             !llvm.ptr<3>, !llvm.ptr<1>, i32"
        ));
    }

    /// The copies that this thread has started are one group.
    pub fn commit_copies(&mut self) {
        self.line("nvvm.cp.async.commit.group");
    }

    /// Waits until all of this thread's groups but the latest so many are there.
    pub fn wait_for_copies(&mut self, left: usize) {
        self.line(format!("nvvm.cp.async.wait.group {left}"));
    }

    /// Four matrices of 8 rows of 16 bytes; thread i gives the address of row i % 8 of matrix i / 8, and has the i-th
    /// words of all. Transposed, of 16 bits each, it has numbers 2 t and 2 t + 1 of column g, where i is 4 g + t.
    pub fn load_matrices(&mut self, row: Value, transposed: bool) -> [Value; 4] {
        let row = self.in_space(row, 3);
        let layout = if transposed { "col" } else { "row" };
        let word = Type::scalar(Kind::I32);
        let all = self.define(
            word,
            format!(
                "nvvm.ldmatrix {row} {{layout = #nvvm.mma_layout<{layout}>, num = 4 : i32, shape = #nvvm.ld_st_matrix_shape<m \
                 = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>}} : (!llvm.ptr<3>) -> {FOUR_WORDS}"
            ),
        );
        [0, 1, 2, 3].map(|place| self.define(word, format!("llvm.extractvalue {all}[{place}] : {FOUR_WORDS}")))
    }

    /// A float rounded to tf32, as a word.
    pub fn to_tf32(&mut self, value: Value) -> Value {
        let rounded = format!("nvvm.convert.float.to.tf32 {value} {{rnd = #nvvm.fp_rnd_mode<rna>}}");
        self.define(Type::scalar(Kind::I32), rounded)
    }

    /// Two floats rounded to bf16, as a word: the first has its low half.
    pub fn to_bf16(&mut self, [low, high]: [Value; 2]) -> Value {
        let word = Type::scalar(Kind::I32);
        let pair = self.define(word, format!("vector.from_elements {low}, {high} : vector<2xf32>"));
        let pair = self.define(word, format!("arith.truncf {pair} : vector<2xf32> to vector<2xbf16>"));
        self.define(word, format!("llvm.bitcast {pair} : vector<2xbf16> to i32"))
    }

    /// `sums + a · b` of 16 by 8 numbers: a warp's fragments.
    pub fn multiply_fragments(&mut self, precision: Precision, a: &[Value], b: &[Value], sums: &[Value]) -> Vec<Value> {
        let depth = if precision == Precision::Bf16 { 16 } else { 8 };
        let list = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        let (a, b, c, name) = (list(a), list(b), list(sums), precision.name());
        let float = Type::scalar(Kind::F32);
        let all = self.define(
            float,
            format!(
                "nvvm.mma.sync A[{a}] B[{b}] C[{c}] {{layoutA = #nvvm.mma_layout<row>, layoutB = \
                 #nvvm.mma_layout<col>, multiplicandAPtxType = #nvvm.mma_type<{name}>, multiplicandBPtxType = \
                 #nvvm.mma_type<{name}>, shape = #nvvm.shape<m = 16, n = 8, k = {depth}>}} : (i32, i32, f32) -> \
                 {FOUR_FLOATS}"
            ),
        );
        (0..4).map(|place| self.define(float, format!("llvm.extractvalue {all}[{place}] : {FOUR_FLOATS}"))).collect()
    }
}
