//! Each machine in its own actor, wired by the routes.

use std::{cell::OnceCell, rc::Rc};

use actix::prelude::*;
use meshwork_base::Machine;
use meshwork_consensus::ConsensusActor;
use meshwork_crdt_state::DocumentsActor;
use meshwork_discovery::DiscoveryActor;
use meshwork_op_log::OpLogActor;
use meshwork_presence::PresenceActor;
use meshwork_shell::{Clock, Host, Shutdown, Tell};
use meshwork_transport::TransportActor;
use tokio::sync::mpsc;

use super::performer::SharedPerformer;
use crate::{
    Machines,
    route::{self, Routed},
};

/// The addresses of a running node's actors.
#[derive(Clone)]
pub(crate) struct Actors {
    pub(crate) op_log: Addr<OpLogActor>,
    pub(crate) documents: Addr<DocumentsActor>,
    pub(crate) transport: Addr<TransportActor>,
    pub(crate) presence: Option<Addr<PresenceActor>>,
    pub(crate) discovery: Option<Addr<DiscoveryActor>>,
    pub(crate) consensus: Option<Addr<ConsensusActor>>,
}

/// Where the routes lead. Shared by the closures of all hosts, on one thread.
///
/// The hosts hold this and this holds their addresses, so none of them ends until it is told to.
struct Wiring {
    actors: Actors,
    performer: SharedPerformer,
}

impl Wiring {
    fn carry(&self, routed: Routed) {
        match routed {
            Routed::Host(effect) => {
                if let Some(performer) = &mut *self.performer.borrow_mut() {
                    performer.perform(effect);
                }
            }
            input => self.actors.tell(input),
        }
    }
}

/// A part that was left out hears nothing.
fn tell<M: Machine + Unpin + 'static>(part: &Option<Addr<Host<M>>>, input: M::Input)
where
    M::Input: Send + 'static,
{
    if let Some(part) = part {
        part.do_send(Tell::new(input));
    }
}

type Router<E> = fn(E, &mut dyn FnMut(Routed));

/// Starts actors one by one; none runs before the current task yields, so the wiring is there before the first effect.
struct Starter {
    clock: Clock,
    wiring: Rc<OnceCell<Wiring>>,
    deaths: mpsc::UnboundedSender<&'static str>,
}

impl Starter {
    fn start<M>(&self, name: &'static str, machine: M, router: Router<M::Effect>) -> Addr<Host<M>>
    where
        M: Machine + Unpin + 'static,
    {
        let wiring = self.wiring.clone();
        let deaths = self.deaths.clone();
        let perform = move |effect| {
            if let Some(wiring) = wiring.get() {
                router(effect, &mut |routed| wiring.carry(routed));
            }
        };
        let tell_death = move |name| {
            // The supervisor may have gone first, when the node is closing.
            let _ = deaths.send(name);
        };
        Host::new(name, machine, self.clock, perform).on_death(tell_death).start()
    }

    /// Takes over an actor that runs already, and carries on what it asks for.
    fn adopt<M>(
        &self,
        name: &'static str,
        host: Addr<Host<M>>,
        mut effects: mpsc::UnboundedReceiver<M::Effect>,
        router: Router<M::Effect>,
    ) -> Addr<Host<M>>
    where
        M: Machine + Unpin + 'static,
    {
        let wiring = self.wiring.clone();
        let deaths = self.deaths.clone();
        tokio::task::spawn_local(async move {
            while let Some(effect) = effects.recv().await {
                if let Some(wiring) = wiring.get() {
                    router(effect, &mut |routed| wiring.carry(routed));
                }
            }
            // The actor is gone. The supervisor may have gone first, when the node is closing.
            let _ = deaths.send(name);
        });
        host
    }
}

impl Actors {
    /// Starts an actor for each machine; a discovery that runs already takes the place of the machine. `performer` is
    /// made once the addresses are known; the name of an actor whose machine panicked goes to `deaths`.
    pub(crate) fn start(
        machines: Machines,
        running: Option<(Addr<DiscoveryActor>, mpsc::UnboundedReceiver<meshwork_discovery::Effect>)>,
        clock: Clock,
        deaths: mpsc::UnboundedSender<&'static str>,
        performer: impl FnOnce(&Self) -> SharedPerformer,
    ) -> (Self, SharedPerformer) {
        let starter = Starter { clock, wiring: Rc::default(), deaths };
        let actors = Self {
            op_log: starter.start("op-log", machines.op_log, |e, to| route::from_op_log(e, to)),
            documents: starter.start("documents", machines.documents, |e, to| route::from_documents(e, to)),
            transport: starter.start("transport", machines.transport, |e, to| route::from_transport(e, to)),
            presence: machines
                .presence
                .map(|machine| starter.start("presence", machine, |e, to| route::from_presence(e, to))),
            discovery: match running {
                Some((host, effects)) => {
                    Some(starter.adopt("discovery", host, effects, |e, to| route::from_discovery(e, to)))
                }
                None => machines
                    .discovery
                    .map(|machine| starter.start("discovery", machine, |e, to| route::from_discovery(e, to))),
            },
            consensus: machines
                .consensus
                .map(|machine| starter.start("consensus", machine, |e, to| route::from_consensus(e, to))),
        };
        let performer = performer(&actors);
        let wiring = Wiring { actors: actors.clone(), performer: performer.clone() };
        // The cell is new, so it is empty.
        let _ = starter.wiring.set(wiring);
        (actors, performer)
    }

    /// Hands a routed input to its actor; for commands that no performer has to see.
    pub(crate) fn tell(&self, routed: Routed) {
        match routed {
            Routed::OpLog(input) => self.op_log.do_send(Tell::new(input)),
            Routed::Documents(input) => self.documents.do_send(Tell::new(input)),
            Routed::Transport(input) => self.transport.do_send(Tell::new(input)),
            Routed::Presence(input) => tell(&self.presence, input),
            Routed::Discovery(input) => tell(&self.discovery, input),
            Routed::Consensus(input) => tell(&self.consensus, input),
            Routed::Host(_) => {}
        }
    }

    /// Ends every actor, once what it was told before has been handled.
    pub(crate) async fn shutdown(&self) {
        // One that has died already does not answer.
        let _ = self.documents.send(Shutdown).await;
        let _ = self.op_log.send(Shutdown).await;
        if let Some(consensus) = &self.consensus {
            let _ = consensus.send(Shutdown).await;
        }
        if let Some(presence) = &self.presence {
            let _ = presence.send(Shutdown).await;
        }
        let _ = self.transport.send(Shutdown).await;
        if let Some(discovery) = &self.discovery {
            let _ = discovery.send(Shutdown).await;
        }
    }
}
