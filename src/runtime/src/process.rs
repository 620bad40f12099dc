//! What the operating system does to this process by default, and should not.
#![expect(unsafe_code, reason = "signal dispositions have no safe interface")]

/// Makes a file that grows too large an error of the write instead of the end of the process, and a panic one line
/// that says where to report it.
pub fn settle() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    std::panic::set_hook(Box::new(|fault| {
        eprintln!("internal error: {fault}\n  help: please report this with the command that you ran");
    }));
}
