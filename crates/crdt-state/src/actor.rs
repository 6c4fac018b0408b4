//! The machine in an actor of its own: told by [`Tell`](meshwork_shell::Tell), asked by [`Read`](meshwork_shell::Read),
//! ended by [`Shutdown`](meshwork_shell::Shutdown). Its effects go to the closure that [`Host::new`] was given.

use meshwork_shell::Host;

use crate::Documents;

/// Hosts the [`Documents`]: takes `Tell<Input>`, answers `Read`.
pub type DocumentsActor = Host<Documents>;

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use actix::Actor as _;
    use meshwork_base::{DocumentId, ReplicaId};
    use meshwork_op_log::Incarnation;
    use meshwork_shell::{Clock, Read, Tell};

    use super::DocumentsActor;
    use crate::{Config, Documents, Edit, Effect, Input, RequestId};

    #[test]
    fn it_is_told_and_asked() {
        actix::System::new().block_on(async {
            let clock = Clock::system();
            let machine = Documents::new(Config::default());
            let effects = Rc::new(RefCell::new(Vec::new()));
            let seen = effects.clone();
            let actor = DocumentsActor::new("documents", machine, clock, move |effect| {
                seen.borrow_mut().push(effect)
            })
            .start();
            let incarnation = Incarnation { replica: ReplicaId([1; 16]), epoch: 1, next_sequence: 1 };
            actor.send(Tell::new(Input::Incarnation(incarnation))).await.unwrap();
            let document = DocumentId::new("users").unwrap();
            let edits = vec![Edit::set(["ada"], 36)];
            let edit = Input::Edit { request: RequestId(1), document: document.clone(), edits };
            actor.send(Tell::new(edit)).await.unwrap();
            assert!(matches!(effects.borrow()[0], Effect::Append(_)));
            let shown = actor.send(Read::new(move |documents: &Documents| {
                documents.document(&document).map(|document| document.to_json())
            }));
            assert_eq!(shown.await.unwrap(), Some(serde_json::json!({ "ada": 36 })));
        });
    }
}
