//! What a thread knows of its place, and how threads wait for each other and exchange numbers.

use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};

impl Writer {
    /// The thread's number in its block of so many.
    pub fn thread(&mut self, threads: usize) -> Value {
        let text = format!("nvvm.read.ptx.sreg.tid.x range <i32, 0, {threads}> : i32");
        self.place_in_grid(text)
    }

    /// The block's number.
    pub fn block(&mut self) -> Value {
        self.place_in_grid("nvvm.read.ptx.sreg.ctaid.x : i32".to_string())
    }

    fn place_in_grid(&mut self, text: String) -> Value {
        let place = self.at_head(Type::scalar(Kind::I32), text);
        self.at_head(Type::scalar(Kind::I64), format!("arith.extui {place} : i32 to i64"))
    }

    /// The address of a global in shared memory.
    pub fn shared_address(&mut self, global: &str) -> Value {
        let pointer = Type::scalar(Kind::Pointer);
        let shared = self.at_head(pointer, format!("llvm.mlir.addressof @{global} : !llvm.ptr<3>"));
        self.at_head(pointer, format!("llvm.addrspacecast {shared} : !llvm.ptr<3> to !llvm.ptr"))
    }

    /// All threads of the block come here before any goes on; each sees what the others wrote.
    pub fn wait_for_block(&mut self) {
        self.line("nvvm.barrier");
    }

    /// The same for the threads of a warp.
    pub fn wait_for_warp(&mut self) {
        let all = self.whole(-1, Type::scalar(Kind::I32));
        self.line(format!("nvvm.bar.warp.sync {all} : i32"));
    }

    /// The value of the thread of the warp whose number differs by these bits.
    pub fn from_partner(&mut self, value: Value, bits: i64) -> Value {
        let bits = self.whole(bits, Type::scalar(Kind::I32));
        self.exchange("bfly", value, bits)
    }

    /// The value of one thread of the warp.
    pub fn from_thread(&mut self, value: Value, thread: Value) -> Value {
        let thread = if thread.ty.kind == Kind::I64 { self.cast("arith.trunci", thread, Kind::I32) } else { thread };
        self.exchange("idx", value, thread)
    }

    fn exchange(&mut self, kind: &str, value: Value, by: Value) -> Value {
        match value.ty.kind {
            Kind::F32 | Kind::I32 => self.exchange_word(kind, value, by),
            Kind::F64 => {
                let bits = self.cast("arith.bitcast", value, Kind::I64);
                let bits = self.exchange(kind, bits, by);
                self.cast("arith.bitcast", bits, Kind::F64)
            }
            Kind::I64 => {
                let half = self.int(32);
                let low = self.cast("arith.trunci", value, Kind::I32);
                let high = self.binary("arith.shrui", value, half);
                let high = self.cast("arith.trunci", high, Kind::I32);
                let (low, high) = (self.exchange_word(kind, low, by), self.exchange_word(kind, high, by));
                let (low, high) = (self.cast("arith.extui", low, Kind::I64), self.cast("arith.extui", high, Kind::I64));
                let high = self.binary("arith.shli", high, half);
                self.either(low, high)
            }
            _ => {
                let word = self.cast("arith.extui", value, Kind::I32);
                let word = self.exchange_word(kind, word, by);
                let zero = self.whole(0, word.ty);
                let holds = self.compare(Order::Different, word, zero);
                if value.ty.kind == Kind::I1 { holds } else { self.cast("arith.extui", holds, value.ty.kind) }
            }
        }
    }

    fn exchange_word(&mut self, kind: &str, value: Value, by: Value) -> Value {
        let word = Type::scalar(Kind::I32);
        let (all, clamp) = (self.whole(-1, word), self.whole(31, word));
        let text = format!("nvvm.shfl.sync {kind} {all}, {value}, {by}, {clamp} : {} -> {}", value.ty, value.ty);
        self.define(value.ty, text)
    }
}
