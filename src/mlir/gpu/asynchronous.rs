//! Barriers with phases, and products of whole warpgroups, which go on beside the threads that ask for them
//! (PTX ISA, "mbarrier", "Asynchronous warpgroup level matrix instructions").

use crate::gpu::{GROUP_ROWS, PANEL_BYTES};
use crate::mlir::text::{Kind, Type, Value, Writer};

/// So much of the sum does one instruction.
pub const STEP: usize = 16;
/// Bytes of 8 lines of 128 in which 16-byte pieces are exchanged.
const EIGHT_LINES: usize = 1024;

/// A factor of a warpgroup's product in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// Neighbours in a line lie along the sum.
    pub along_sum: bool,
}

impl Lines {
    /// What a descriptor says beside where the factor starts: the exchange within 128 bytes, how far it is from 8 lines to
    /// the next, and from 64 rows to the next where these lie in a line.
    fn layout(self) -> i64 {
        let across = if self.along_sum { 16 } else { PANEL_BYTES };
        1 << 62 | (EIGHT_LINES as i64 / 16) << 32 | (across as i64 / 16) << 16
    }

    /// How far a descriptor moves for the next part of the sum.
    pub fn step(self) -> i64 {
        let bytes = if self.along_sum { STEP * 2 } else { STEP * 128 };
        bytes as i64 / 16
    }
}

impl Writer {
    /// Shared memory whose size a launch gives. It starts where exchanged pieces may.
    pub fn given_shared(&mut self, name: &str) -> Value {
        self.beside(&format!(
            "llvm.mlir.global external @{name}() {{addr_space = 3 : i32, alignment = {EIGHT_LINES} : i64}} : \
             !llvm.array<0 x i8>"
        ));
        self.shared_address(name)
    }

    /// An address in shared memory as a word.
    fn shared_word(&mut self, address: Value) -> Value {
        let address = self.in_space(address, 3);
        self.define(Type::scalar(Kind::I32), format!("llvm.ptrtoint {address} : !llvm.ptr<3> to i32"))
    }

    /// Makes a barrier of which each phase ends with so many arrivals.
    pub fn make_barrier(&mut self, barrier: Value, arrivals: usize) {
        let barrier = self.in_space(barrier, 3);
        let count = self.whole(arrivals as i64, Type::scalar(Kind::I32));
        self.line(format!("nvvm.mbarrier.init {barrier}, {count} : !llvm.ptr<3>, i32"));
    }

    /// Arrives at a barrier: whoever waits for the phase sees what this thread did.
    pub fn arrive(&mut self, barrier: Value) {
        let barrier = self.in_space(barrier, 3);
        self.define(Type::scalar(Kind::I64), format!("nvvm.mbarrier.arrive {barrier} : !llvm.ptr<3> -> i64"));
    }

    /// Arrives at a barrier, which counts this too, when all copies that this thread has started are there.
    pub fn arrive_after_copies(&mut self, barrier: Value) {
        let barrier = self.in_space(barrier, 3);
        self.line(format!("nvvm.cp.async.mbarrier.arrive {barrier} {{noinc = true}} : !llvm.ptr<3>"));
    }

    /// Waits until the phase of this parity has ended.
    pub fn wait_for_phase(&mut self, barrier: Value, parity: Value) {
        let barrier = self.shared_word(barrier);
        let parity = self.cast("arith.trunci", parity, Kind::I32);
        let code = "{ .reg .pred done; AGAIN: mbarrier.try_wait.parity.shared.b64 done, [$0], $1; @!done bra AGAIN; }";
        self.line(format!(
            "llvm.inline_asm has_side_effects asm_dialect = att \"{code}\", \"r,r,~{{memory}}\" {barrier}, {parity} : \
             (i32, i32) -> ()"
        ));
    }

    /// What this thread wrote to shared memory, or knows to be there, is there for warpgroups' products: its own, and those
    /// of whoever learns of it.
    pub fn show_to_products(&mut self) {
        self.line("nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}");
    }

    /// So many threads come to the barrier of this number before any goes on.
    pub fn wait_for_threads(&mut self, number: i64, threads: usize) {
        let word = Type::scalar(Kind::I32);
        let (number, threads) = (self.whole(number, word), self.whole(threads as i64, word));
        self.line(format!("nvvm.barrier id = {number} number_of_threads = {threads}"));
    }

    /// Describes a factor that starts at an address.
    pub fn describe(&mut self, address: Value, lines: Lines) -> Value {
        let address = self.shared_word(address);
        let word = address.ty;
        let (all, four) = (self.whole(0x3ffff, word), self.whole(4, word));
        let address = self.both(address, all);
        let address = self.binary("arith.shrui", address, four);
        let address = self.cast("arith.extui", address, Kind::I64);
        let layout = self.int(lines.layout());
        self.either(address, layout)
    }

    /// From here on products may use registers that this thread wrote.
    pub fn begin_products(&mut self) {
        self.line("nvvm.wgmma.fence.aligned");
    }

    /// The products that this thread has asked for are one group.
    pub fn commit_products(&mut self) {
        self.line("nvvm.wgmma.commit.group.sync.aligned");
    }

    /// Waits until all groups but the latest so many are done.
    pub fn wait_for_products(&mut self, left: usize) {
        self.line(format!("nvvm.wgmma.wait.group.sync.aligned {left}"));
    }

    /// Asks for `sums + a · b` of described factors of bf16, several one after the other: a thread's part of 64 rows.
    pub fn multiply_described(&mut self, pairs: &[[Value; 2]], lines: [Lines; 2], sums: &[Value]) -> Vec<Value> {
        let (float, columns) = (Type::scalar(Kind::F32), sums.len() * 2);
        let bundle = format!("!llvm.struct<({})>", vec!["f32"; sums.len()].join(", "));
        let mut all = self.define(float, format!("llvm.mlir.undef : {bundle}"));
        for (place, sum) in sums.iter().enumerate() {
            all = self.define(float, format!("llvm.insertvalue {sum}, {all}[{place}] : {bundle}"));
        }
        let left = if lines[0].along_sum { "row" } else { "col" };
        let right = if lines[1].along_sum { "col" } else { "row" };
        for [a, b] in pairs {
            all = self.define(
                float,
                format!(
                    "nvvm.wgmma.mma_async {a}, {b}, {all}, #nvvm.shape<m = {GROUP_ROWS}, n = {columns}, k = {STEP}>, D \
                     [<f32>, <one>], A [<bf16>, <one>, <{left}>], B [<bf16>, <one>, <{right}>] : {bundle} -> {bundle}"
                ),
            );
        }
        (0..sums.len())
            .map(|place| self.define(float, format!("llvm.extractvalue {all}[{place}] : {bundle}")))
            .collect()
    }
}
