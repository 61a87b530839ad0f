//! How a native contract's end reaches the world: by unwinding.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// A contract's `revert`, on its way up.
pub(crate) struct Reverted {
    pub(crate) code: u32,
    pub(crate) fields: Vec<u8>,
}

/// What the contract did that the host does not allow, on its way up.
pub(crate) struct Refused {
    pub(crate) status: hanse_abi::Status,
    pub(crate) why: String,
}

/// How a call of native code ended.
pub(crate) enum End {
    Returned,
    Reverted(Reverted),
    Refused(Refused),
    /// With message, file and line.
    Panicked(String),
}

thread_local! {
    /// The text of the newest panic, while contract code runs on this thread.
    static NEWEST: RefCell<Option<String>> = const { RefCell::new(None) };
    static DEPTH: RefCell<usize> = const { RefCell::new(0) };
}

/// Ends the contract's code because of what the host does not allow.
pub(crate) fn refuse(status: hanse_abi::Status, why: String) -> ! {
    unwind(Refused { status, why })
}

/// Ends the contract's code.
pub(crate) fn unwind<T: Send + 'static>(end: T) -> ! {
    panic::resume_unwind(Box::new(end))
}

/// Runs contract code. Its panics are kept instead of printed: they are results, which a test may expect.
pub(crate) fn catch(code: impl FnOnce()) -> End {
    install_hook();
    DEPTH.with_borrow_mut(|depth| *depth += 1);
    let ended = panic::catch_unwind(AssertUnwindSafe(code));
    DEPTH.with_borrow_mut(|depth| *depth -= 1);
    let Err(payload) = ended else { return End::Returned };
    let payload = match payload.downcast::<Reverted>() {
        Ok(reverted) => return End::Reverted(*reverted),
        Err(payload) => payload,
    };
    match payload.downcast::<Refused>() {
        Ok(refused) => End::Refused(*refused),
        Err(_) => End::Panicked(NEWEST.with_borrow_mut(Option::take).unwrap_or_else(|| "panicked".to_owned())),
    }
}

fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match DEPTH.with_borrow(|depth| *depth) {
            0 => before(info),
            _ => NEWEST.with_borrow_mut(|newest| *newest = Some(describe(info))),
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("panicked");
    match info.location() {
        Some(place) => format!("{message}, at {}:{}", place.file(), place.line()),
        None => message.to_owned(),
    }
}
