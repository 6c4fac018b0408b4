//! What must hold, each in a file of its own.

mod bounds;
mod causality;
mod containment;
mod convergence;
mod durability;
mod ephemeral;
mod equivocation;
mod links;
mod memory;
mod presence;
mod progress;
mod receipts;
mod signalling;
mod trust;

use meshwork::{Deadline, Effect, Mesh, Monotonic, Version};

use crate::{
    Plan,
    hostile::{Charge, Ledger},
    node::Node,
};

/// An invariant that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} is broken at {at_us} µs{on}: {what}", on = node.map(|node| format!(" on node {node}")).unwrap_or_default())]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// When, in microseconds of virtual time.
    pub at_us: u64,
    /// On which node, if on one.
    pub node: Option<usize>,
    /// How.
    pub what: String,
}

/// The world as invariants see it. They know more than any node does.
pub(crate) struct Scene<'a> {
    /// The true time.
    pub(crate) now: Monotonic,
    /// Since when no fault has kept anybody from hearing of anybody. (Of tabs that say so beforehand, one hears
    /// enough.)
    pub(crate) quiet_since: Monotonic,
    /// Since when there has been no fault at all.
    pub(crate) calm_since: Monotonic,
    /// The run.
    pub(crate) plan: &'a Plan,
    /// Everybody. The correct ones come first.
    pub(crate) nodes: &'a [Node],
    /// What the hostile ones did.
    pub(crate) ledger: &'a Ledger,
}

impl<'a> Scene<'a> {
    /// The nodes that behave.
    pub(crate) fn correct(&self) -> &'a [Node] {
        &self.nodes[..self.plan.nodes]
    }

    /// The first hostile node of which this holds.
    pub(crate) fn hostile(&self, is_it: impl Fn(&Node) -> bool) -> Option<usize> {
        (self.plan.nodes..self.nodes.len()).find(|node| is_it(&self.nodes[*node]))
    }
}

/// How a node came back.
pub(crate) struct Start {
    /// What its disk kept.
    pub(crate) found: Version,
    /// The disk had lost what it had said to be durable.
    pub(crate) disk_lost: bool,
}

/// What a node was made of when it died.
pub(crate) struct Weight {
    /// All that it had on the heap.
    pub(crate) bytes: u64,
    /// How many operations it held.
    pub(crate) operations: u64,
}

/// `Err` says how the invariant is broken.
pub(crate) type Verdict = Result<(), String>;

/// Whether what has to come true in the end has.
pub(crate) enum Settled {
    /// Yes.
    Yes,
    /// Not yet; this is missing.
    NotYet(String),
}

/// Looks at everything that happens to correct nodes.
pub(crate) trait Invariant {
    /// As failures name it.
    fn name(&self) -> &'static str;

    /// A node has started.
    fn started(&mut self, _scene: &Scene<'_>, _node: usize, _start: &Start) -> Verdict {
        Ok(())
    }

    /// A node has asked for something.
    fn effect(&mut self, _scene: &Scene<'_>, _node: usize, _mesh: &Mesh, _effect: &Effect) -> Verdict {
        Ok(())
    }

    /// A node will be told, in its next step, what a hostile one sent, and this is what it has to hold against it.
    fn wronged(&mut self, _scene: &Scene<'_>, _node: usize, _by: usize, _charge: Charge) -> Verdict {
        Ok(())
    }

    /// A node was driven and is at rest again. Times are its own.
    fn stepped(&mut self, _scene: &Scene<'_>, _node: usize, _mesh: &Mesh, _step: Step) -> Verdict {
        Ok(())
    }

    /// A node is gone, and this is what it took. Only in worlds with a scale.
    fn weighed(&mut self, _scene: &Scene<'_>, _node: usize, _weight: &Weight) -> Verdict {
        Ok(())
    }

    /// Time has passed. Called every few seconds.
    fn looked(&mut self, _scene: &Scene<'_>) -> Verdict {
        Ok(())
    }

    /// Faults have ended, and time has passed since.
    fn settled(&mut self, _scene: &Scene<'_>) -> Result<Settled, String> {
        Ok(Settled::Yes)
    }
}

/// One step of a node, on its own clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// When.
    pub(crate) at: Monotonic,
    /// When it wants to be woken.
    pub(crate) deadline: Option<Deadline>,
    /// It was woken; otherwise it was told something.
    pub(crate) woken: bool,
    /// How much it asked for.
    pub(crate) effects: usize,
}

/// All of them.
pub(crate) fn all(plan: &Plan) -> Vec<Box<dyn Invariant>> {
    let nodes = plan.all_nodes();
    vec![
        Box::new(bounds::Bounds::default()),
        Box::new(causality::Causality::new(nodes)),
        Box::new(containment::Containment::new(nodes)),
        Box::new(convergence::Convergence::default()),
        Box::new(durability::Durability::new(nodes)),
        Box::new(ephemeral::Ephemeral),
        Box::new(equivocation::Equivocation::new(nodes)),
        Box::new(links::Links::default()),
        Box::new(memory::Memory),
        Box::new(presence::Presence),
        Box::new(receipts::Receipts::new(nodes)),
        Box::new(progress::Progress::new(nodes)),
        Box::new(signalling::Signalling),
        Box::new(trust::Trust),
    ]
}
