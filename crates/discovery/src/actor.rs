//! The machine in an actor of its own: told by [`Tell`](meshwork_shell::Tell), asked by [`Read`](meshwork_shell::Read),
//! ended by [`Shutdown`](meshwork_shell::Shutdown). Its effects go to the closure that [`Host::new`] was given.

use meshwork_shell::Host;

use crate::Discovery;

/// Hosts a [`Discovery`]: takes `Tell<Input>`, answers `Read`.
pub type DiscoveryActor = Host<Discovery>;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, sync::Arc};

    use actix::Actor as _;
    use meshwork_base::{Seed, SessionId};
    use meshwork_identity::NodeKey;
    use meshwork_shell::{Clock, Read, Tell};

    use super::DiscoveryActor;
    use crate::{Config, Context, Discovery, Effect, HubId, Input};

    #[test]
    fn it_is_told_and_asked() {
        actix::System::new().block_on(async {
            let clock = Clock::system();
            let config = Config {
                hubs: vec!["http://127.0.0.1:7070".parse().unwrap()],
                room: "A3B7K9".parse().unwrap(),
                ..Config::default()
            };
            let context = Context {
                session: SessionId([1; 16]),
                signer: Arc::new(NodeKey::from_seed(&Seed::from_number(1))),
                name: "Ada".into(),
                space: None,
                access: None,
            };
            let machine = Discovery::new(config, context, clock.now(), Seed::from_number(2));
            let effects = Rc::new(RefCell::new(Vec::new()));
            let seen = effects.clone();
            let actor = DiscoveryActor::new("discovery", machine, clock, move |effect| {
                seen.borrow_mut().push(effect)
            })
            .start();
            actor.send(Tell::new(Input::Start)).await.unwrap();
            assert!(matches!(effects.borrow()[..], [Effect::Open { hub: HubId(0), .. }]));
            assert!(actor.send(Read::new(Discovery::peers)).await.unwrap().is_empty());
        });
    }
}
