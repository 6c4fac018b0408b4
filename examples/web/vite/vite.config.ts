import { defineConfig } from "vite";

export default defineConfig({
  // The module waits for the mesh at its top level, which older targets do not know.
  build: { target: "es2022" },
  // It loads its WebAssembly from beside itself, and in the cache of `vite dev` there is none beside it.
  optimizeDeps: { exclude: ["meshwork"] },
  // Here it is linked from outside of this folder.
  server: { fs: { allow: [".", "../../../target/package"] } },
});
