//! `meshwork invite`.

use std::{io::IsTerminal as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use meshwork::{Membership, Profile, Seed};
use meshwork_identity::{Invitation, RoomCode, SpaceSecret};
use url::Url;

use super::output::say;

#[derive(Args)]
pub(crate) struct InviteArguments {
    /// The hub where the newcomer finds the others
    #[arg(long, value_name = "URL", value_parser = super::hub_url, default_value = "http://127.0.0.1:7070")]
    hub: Url,
    /// The room on the hub; a fresh one if it is not given
    #[arg(long, value_name = "CODE")]
    room: Option<RoomCode>,
    /// Invite into the space of this node's data directory; without one, into a new space
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print no QR code
    #[arg(long)]
    plain: bool,
}

pub(crate) fn run(arguments: InviteArguments) -> Result<()> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).context("the operating system gives no randomness")?;
    let seed = Seed::new(entropy);
    let Membership { space, secret } = match &arguments.data {
        Some(directory) => {
            let profile = Profile::read(directory)?;
            profile.membership.with_context(|| {
                format!("the node in {} is not a member of any space yet; start it once", directory.display())
            })?
        }
        None => {
            let mut random = seed.fork("space").random();
            Membership {
                space: meshwork::SpaceId(random.bytes()),
                secret: SpaceSecret::generate(&mut random),
            }
        }
    };
    let room = arguments.room.unwrap_or_else(|| RoomCode::generate(&mut seed.fork("room").random()));
    let link = Invitation { hub: arguments.hub, room, space, secret }.to_string();
    if !arguments.plain && std::io::stdout().is_terminal() {
        let code = qrcode::QrCode::new(&link).context("the link does not fit a QR code")?;
        say(code.render::<qrcode::render::unicode::Dense1x2>().build())?;
    }
    say(link)
}
