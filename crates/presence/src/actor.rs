//! The machine in an actor of its own: told by [`Tell`](meshwork_shell::Tell), asked by [`Read`](meshwork_shell::Read),
//! ended by [`Shutdown`](meshwork_shell::Shutdown). Its effects go to the closure that [`Host::new`] was given.

use meshwork_shell::Host;

use crate::Presence;

/// Hosts a [`Presence`]: takes `Tell<Input>`, answers `Read`.
pub type PresenceActor = Host<Presence>;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use actix::Actor as _;
    use meshwork_base::{NodeId, SessionId};
    use meshwork_shell::{Clock, Read, Tell};

    use super::PresenceActor;
    use crate::{Capabilities, Config, Context, Effect, Input, Presence};

    #[test]
    fn it_is_told_and_asked() {
        actix::System::new().block_on(async {
            let clock = Clock::system();
            let (session, node) = (SessionId([1; 16]), NodeId([1; 32]));
            let capabilities = Capabilities::default();
            let context = Context { session, node, name: "Ada".into(), capabilities };
            let machine = Presence::new(Config::default(), context, clock.now());
            let effects = Rc::new(RefCell::new(Vec::new()));
            let seen = effects.clone();
            let actor =
                PresenceActor::new("presence", machine, clock, move |effect| seen.borrow_mut().push(effect))
                    .start();
            let peer = SessionId([2; 16]);
            actor.send(Tell::new(Input::PeerUp { peer, node: NodeId([2; 32]) })).await.unwrap();
            assert!(
                effects
                    .borrow()
                    .iter()
                    .any(|effect| matches!(effect, Effect::Send { to, .. } if *to == peer))
            );
            assert!(actor.send(Read::new(Presence::members)).await.unwrap().is_empty());
        });
    }
}
