//! The command line of archc: everything is in [`archc::cli`].

fn main() -> std::process::ExitCode {
    archc::cli::main()
}
