//! Links that somebody pasted: an invitation or an error, and an invitation is the same after it was shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_identity::Invitation;

fuzz_target!(|text: &str| {
    if let Ok(invitation) = text.parse::<Invitation>() {
        assert_eq!(invitation.to_string().parse(), Ok(invitation));
    }
});
