// Compiled, not run: what the types allow, and what they do not.

import { Mesh, type Edit, type MeshError } from "../js/meshwork.js";

const mesh = await Mesh.join({
  hub: new URL("http://127.0.0.1:7070"),
  room: "A3B7K9",
  name: "types",
  storage: false,
  on: { "peer-joined": ({ peer }) => console.log(peer.name), "*": ({ type }) => console.log(type) },
});
const local = await Mesh.join({ hubs: [], storage: "types" });
local.on("role", ({ role }) => console.log(role === "writer", local.status().webrtc));
local.on("storage-lost", ({ reason }) => console.log(reason));
const app = mesh.document("app");
const edit: Edit = app.set("a/b", { c: [1, null, "x"] });
await edit.confirmed({ count: 2 });
app.subscribe(({ operations, local }) => console.log(operations[0]?.sequence, local));
mesh.on("link-failed", ({ stage, retryInMs }) => console.log(stage, retryInMs));
// @ts-expect-error: no such event
mesh.on("no-such-event", () => {});
// @ts-expect-error: a set holds scalars
app.add("tags", {});
try {
  await mesh.leave();
} catch (error) {
  console.log((error as MeshError).code);
}
