import { defineConfig } from "vite";

// The module waits for the mesh at its top level, which older targets do not know.
export default defineConfig({ build: { target: "es2022" } });
