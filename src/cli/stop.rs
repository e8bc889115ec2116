//! What asks the process to end before it is done, and what is then to be done.

use std::sync::Once;

/// Whoever asks first is told: what runs in several steps ends with the one that it is at.
static FIRST: Once = Once::new();

/// Has `stop` run when the process is asked to end: by SIGINT, SIGTERM or SIGHUP, or by what stands for these elsewhere. Those that are ignored stay so, as
/// SIGHUP behind nohup and SIGINT in the background of a script. Only the first call counts.
pub(super) fn on_stop(stop: impl Fn() + Send + 'static) {
    FIRST.call_once(|| listen(stop));
}

#[cfg(unix)]
fn listen(stop: impl Fn() + Send + 'static) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ignored = ignored().unwrap_or(1 << (SIGHUP - 1));
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
    // where this fails, signals end the process as they do without it
    if let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) {
        std::thread::spawn(move || signals.forever().for_each(|_| stop()));
    }
}

/// Which signals are ignored, a bit each, where the system tells (proc_pid_status(5) of Linux).
#[cfg(unix)]
fn ignored() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(not(unix))]
fn listen(stop: impl Fn() + Send + 'static) {
    // where this fails, the process is ended as it is without it
    let _ = ctrlc::set_handler(stop);
}
