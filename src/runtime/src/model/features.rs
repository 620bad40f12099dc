//! Whether this CPU can run the code.

/// Features that code generation may use, in LLVM's spelling and in the kernel's.
const FEATURES: &[(&str, &str)] = &[
    ("sse3", "pni"),
    ("ssse3", "ssse3"),
    ("sse4.1", "sse4_1"),
    ("sse4.2", "sse4_2"),
    ("popcnt", "popcnt"),
    ("avx", "avx"),
    ("f16c", "f16c"),
    ("fma", "fma"),
    ("avx2", "avx2"),
    ("bmi", "bmi1"),
    ("bmi2", "bmi2"),
    ("lzcnt", "abm"),
    ("movbe", "movbe"),
    ("avx512f", "avx512f"),
    ("avx512cd", "avx512cd"),
    ("avx512bw", "avx512bw"),
    ("avx512dq", "avx512dq"),
    ("avx512vl", "avx512vl"),
    ("avx512ifma", "avx512ifma"),
    ("avx512vbmi", "avx512vbmi"),
    ("avx512vbmi2", "avx512_vbmi2"),
    ("avx512vnni", "avx512_vnni"),
    ("avx512bitalg", "avx512_bitalg"),
    ("avx512vpopcntdq", "avx512_vpopcntdq"),
    ("avx512bf16", "avx512_bf16"),
    ("avx512fp16", "avx512_fp16"),
    ("avxvnni", "avx_vnni"),
    ("gfni", "gfni"),
    ("vaes", "vaes"),
    ("vpclmulqdq", "vpclmulqdq"),
    ("amx-tile", "amx_tile"),
    ("amx-bf16", "amx_bf16"),
    ("amx-int8", "amx_int8"),
];

/// Those of the required features that this CPU lacks. A feature that is not in the table above is one that generated
/// code does not depend on; a system that does not list its CPU's features is trusted.
pub fn missing_features(required: &[String]) -> Vec<&str> {
    let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") else { return Vec::new() };
    let Some(line) = text.lines().find(|line| line.starts_with("flags")) else { return Vec::new() };
    let present: Vec<&str> = line.split_whitespace().collect();
    let lacks = |name: &&str| FEATURES.iter().any(|(feature, flag)| feature == name && !present.contains(flag));
    required.iter().map(String::as_str).filter(lacks).collect()
}
