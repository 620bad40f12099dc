//! What functions of numbers cost beside an addition.

use crate::tensor::Function;

/// About how many simple steps a function takes.
pub fn price(function: Function) -> u32 {
    use Function::*;
    match function {
        Exp | Log | Log1p | Expm1 | Sin | Cos | Tanh | Erf => 6,
        Power => 12,
        Divide | Sqrt | FloorDivide | Remainder => 2,
        ToReal | ToInt => 0,
        _ => 1,
    }
}
