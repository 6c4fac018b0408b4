//! The machine in an actor of its own: told by [`Tell`](meshwork_shell::Tell), asked by [`Read`](meshwork_shell::Read),
//! ended by [`Shutdown`](meshwork_shell::Shutdown). Its effects go to the closure that [`Host::new`] was given.

use meshwork_shell::Host;

use crate::Consensus;

/// Hosts a [`Consensus`]: takes `Tell<Input>`, answers `Read`.
pub type ConsensusActor = Host<Consensus>;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, sync::Arc};

    use actix::Actor as _;
    use meshwork_base::{Hash, NodeId, ReplicaId, SpaceId, Tip};
    use meshwork_identity::KeyedHash;
    use meshwork_shell::{Clock, Read, Tell};

    use super::ConsensusActor;
    use crate::{Config, Consensus, Context, Effect, Input, Policy};

    #[test]
    fn it_is_told_and_asked() {
        actix::System::new().block_on(async {
            let clock = Clock::system();
            let key = Arc::new(KeyedHash { node: NodeId([1; 32]), world: [0; 32] });
            let context =
                Context { space: SpaceId([7; 16]), durable: true, signer: key.clone(), verifier: key };
            let config = Config { policy: Policy::Count(1), ..Config::default() };
            let machine = Consensus::new(config, context);
            let effects = Rc::new(RefCell::new(Vec::new()));
            let seen = effects.clone();
            let actor = ConsensusActor::new("consensus", machine, clock, move |effect| {
                seen.borrow_mut().push(effect)
            })
            .start();
            let replica = ReplicaId([1; 16]);
            actor.send(Tell::new(Input::Incarnation { replica, epoch: 1 })).await.unwrap();
            let version = [(replica, Tip { sequence: 3, hash: Hash::of(b"third") })].into_iter().collect();
            actor.send(Tell::new(Input::Stored { version })).await.unwrap();
            assert!(effects.borrow().iter().any(|effect| matches!(effect, Effect::Confirmed { .. })));
            assert_eq!(actor.send(Read::new(Consensus::confirmed_operations)).await.unwrap(), 3);
        });
    }
}
