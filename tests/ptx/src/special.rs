//! Special registers (PTX ISA, "Special Registers"). Clusters have one block each.

/// A special register, with its axis where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    Thread(u8),
    Threads(u8),
    Block(u8),
    Blocks(u8),
    Lane,
    Warp,
    Warps,
    /// Lanes below, up to, equal, from, above this one.
    MaskBelow,
    MaskUpTo,
    MaskEqual,
    MaskFrom,
    MaskAbove,
    /// Anything that counts up.
    Clock,
    DynamicShared,
    TotalShared,
    Constant(u32),
}

/// The special register of a name, `%` included.
pub(crate) fn special(name: &str) -> Option<Special> {
    if let Some((stem, axis)) = name.rsplit_once('.') {
        let axis = match axis {
            "x" => 0,
            "y" => 1,
            "z" => 2,
            _ => return None,
        };
        return match stem {
            "%tid" => Some(Special::Thread(axis)),
            "%ntid" => Some(Special::Threads(axis)),
            "%ctaid" | "%clusterid" => Some(Special::Block(axis)),
            "%nctaid" | "%nclusterid" => Some(Special::Blocks(axis)),
            "%cluster_ctaid" => Some(Special::Constant(0)),
            "%cluster_nctaid" => Some(Special::Constant(1)),
            _ => None,
        };
    }
    Some(match name {
        "%laneid" => Special::Lane,
        "%warpid" => Special::Warp,
        "%nwarpid" => Special::Warps,
        "%lanemask_lt" => Special::MaskBelow,
        "%lanemask_le" => Special::MaskUpTo,
        "%lanemask_eq" => Special::MaskEqual,
        "%lanemask_ge" => Special::MaskFrom,
        "%lanemask_gt" => Special::MaskAbove,
        "%clock" | "%clock_hi" | "%clock64" | "%globaltimer" | "%globaltimer_lo" => Special::Clock,
        "%dynamic_smem_size" => Special::DynamicShared,
        "%total_smem_size" => Special::TotalShared,
        "%smid" | "%gridid" | "%cluster_ctarank" | "%is_explicit_cluster" => Special::Constant(0),
        "%nsmid" | "%cluster_nctarank" => Special::Constant(1),
        "WARP_SZ" => Special::Constant(32),
        _ => return None,
    })
}
