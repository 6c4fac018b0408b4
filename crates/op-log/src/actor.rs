//! The machine in an actor of its own: told by [`Tell`](meshwork_shell::Tell), asked by [`Read`](meshwork_shell::Read),
//! ended by [`Shutdown`](meshwork_shell::Shutdown). Its effects go to the closure that [`Host::new`] was given.

use meshwork_shell::Host;

use crate::OpLog;

/// Hosts an [`OpLog`]: takes `Tell<Input>`, answers `Read`.
pub type OpLogActor = Host<OpLog>;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, sync::Arc};

    use actix::Actor as _;
    use meshwork_base::{Seed, SessionId, SpaceId};
    use meshwork_identity::{Ed25519, NodeKey};
    use meshwork_shell::{Clock, Read, Tell};

    use super::OpLogActor;
    use crate::{Config, Context, Effect, Input, OpLog};

    #[test]
    fn it_is_told_and_asked() {
        actix::System::new().block_on(async {
            let clock = Clock::system();
            let key = NodeKey::from_seed(&Seed::from_number(1));
            let context =
                Context { space: SpaceId([7; 16]), signer: Arc::new(key), verifier: Arc::new(Ed25519) };
            let machine =
                OpLog::open(Config::default(), context, clock.now(), Seed::from_number(2), []).unwrap();
            let effects = Rc::new(RefCell::new(Vec::new()));
            let seen = effects.clone();
            let actor =
                OpLogActor::new("op-log", machine, clock, move |effect| seen.borrow_mut().push(effect))
                    .start();
            let peer = SessionId([1; 16]);
            actor.send(Tell::new(Input::PeerUp { peer })).await.unwrap();
            assert!(
                effects
                    .borrow()
                    .iter()
                    .any(|effect| matches!(effect, Effect::Send { to, .. } if *to == peer))
            );
            assert_eq!(actor.send(Read::new(OpLog::operations)).await.unwrap(), 0);
        });
    }
}
