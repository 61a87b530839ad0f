//! Panics go to the host with message, file and line.
//!
//! A message without values is passed on as it is. One with values ("index 7 is out of bounds") would bring Rust's whole
//! formatting into the contract, some 5 KB, so it is passed on only with the feature `panic-format`.

use core::panic::PanicInfo;

use crate::data::Encoded;
use crate::host;

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    let mut text = Encoded::new();
    write_message(&mut text, info);
    if let Some(place) = info.location() {
        text.append(b", at ");
        text.append(place.file().as_bytes());
        text.append(b":");
        write_number(&mut text, place.line());
    }
    host::panic_bytes(&text)
}

#[cfg(not(feature = "panic-format"))]
fn write_message(text: &mut Encoded, info: &PanicInfo<'_>) {
    let message =
        info.message().as_str().unwrap_or("panicked (enable hanse-sdk's feature `panic-format` for the text)");
    text.append(message.as_bytes());
}

#[cfg(feature = "panic-format")]
fn write_message(text: &mut Encoded, info: &PanicInfo<'_>) {
    struct Text<'a>(&'a mut Encoded);
    impl core::fmt::Write for Text<'_> {
        fn write_str(&mut self, part: &str) -> core::fmt::Result {
            self.0.append(part.as_bytes());
            Ok(())
        }
    }
    // Writing into memory does not fail, and there is nobody left to tell.
    let _ = core::fmt::write(&mut Text(text), format_args!("{}", info.message()));
}

fn write_number(text: &mut Encoded, mut number: u32) {
    let mut digits = [b'0'; 10];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    text.append(digits.get(digits.len() - used..).unwrap_or_default());
}
