//! QR codes, for invitations.

use qrcode::{Color, EcLevel, QrCode};
use wasm_bindgen::prelude::*;

/// The modules of a QR code, row by row from the top, each `1` (dark) or `0`; the rows are as long as there are rows.
/// `undefined` when the text is too long for one.
#[wasm_bindgen(js_name = qrCode)]
pub fn qr_code(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(code.to_colors().into_iter().map(|module| if module == Color::Dark { '1' } else { '0' }).collect())
}
