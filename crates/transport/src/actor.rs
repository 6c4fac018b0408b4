//! The machine in an actor of its own: told by [`Tell`](meshwork_shell::Tell), asked by [`Read`](meshwork_shell::Read),
//! ended by [`Shutdown`](meshwork_shell::Shutdown). Its effects go to the closure that [`Host::new`] was given.

use meshwork_shell::Host;

use crate::Transport;

/// Hosts a [`Transport`]: takes `Tell<Input>`, answers `Read`.
pub type TransportActor = Host<Transport>;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, sync::Arc};

    use actix::Actor as _;
    use meshwork_base::{NodeId, ReplicaId, Seed, SessionId, SpaceId};
    use meshwork_identity::{Ed25519, NodeKey, SpaceSecret};
    use meshwork_shell::{Clock, Read, Tell};

    use super::TransportActor;
    use crate::{Config, ConnectionAction, Context, Effect, Input, Transport};

    #[test]
    fn it_is_told_and_asked() {
        actix::System::new().block_on(async {
            let clock = Clock::system();
            let space = SpaceId([7; 16]);
            let context = Context {
                space,
                secret: SpaceSecret::open(&space),
                session: SessionId([1; 16]),
                durable: true,
                signer: Arc::new(NodeKey::from_seed(&Seed::from_number(1))),
                verifier: Arc::new(Ed25519),
            };
            let machine = Transport::new(Config::default(), context, clock.now(), Seed::from_number(2));
            let effects = Rc::new(RefCell::new(Vec::new()));
            let seen = effects.clone();
            let actor = TransportActor::new("transport", machine, clock, move |effect| {
                seen.borrow_mut().push(effect)
            })
            .start();
            let replica = ReplicaId([1; 16]);
            actor.send(Tell::new(Input::Incarnation { replica })).await.unwrap();
            let found = Input::PeerFound { session: SessionId([2; 16]), node: NodeId([2; 32]) };
            actor.send(Tell::new(found)).await.unwrap();
            let offers = |effect: &Effect| {
                matches!(effect, Effect::Connection { action: ConnectionAction::Offer, .. })
            };
            assert!(effects.borrow().iter().any(offers));
            assert_eq!(
                actor.send(Read::new(|transport: &Transport| transport.links().len())).await.unwrap(),
                1
            );
        });
    }
}
