//! What the browser gives every script: clocks, timers, randomness.

use meshwork::{Monotonic, Seed, Timestamp};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> f64;
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(into: &mut [u8]);
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, delay_ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn console_error(text: &str);
}

/// The browser's monotonic and wall clocks.
pub(crate) fn now() -> Timestamp {
    // Zero means nothing to a `Monotonic`, and `performance.now` begins there.
    let monotonic = Monotonic((performance_now() * 1000.0) as u64 + 1);
    Timestamp { monotonic, wall_ms: date_now() as u64 }
}

/// A seed from the browser's cryptographic source.
pub(crate) fn seed() -> Seed {
    let mut bytes = [0; 32];
    get_random_values(&mut bytes);
    Seed::new(bytes)
}

/// Whether this browser makes links to others at all.
pub(crate) fn has_webrtc() -> bool {
    js_sys::Reflect::has(&js_sys::global(), &"RTCPeerConnection".into()).unwrap_or(false)
}

/// Calls `callback` once after `delay_ms`, unless it is cleared.
pub(crate) fn after(delay_ms: f64, callback: impl FnOnce() + 'static) {
    set_timeout(&Closure::once_into_js(callback), delay_ms);
}

/// A timer that is set again and again.
pub(crate) struct Timer {
    callback: Closure<dyn Fn()>,
    /// When it fires, and its handle.
    armed: Option<(Monotonic, JsValue)>,
}

impl Timer {
    pub(crate) fn new(callback: impl Fn() + 'static) -> Self {
        Self { callback: Closure::new(callback), armed: None }
    }

    /// Fires at `due` or earlier: whoever is woken for nothing sets the timer again, which is cheaper than to move it
    /// with every input.
    pub(crate) fn set(&mut self, now: Timestamp, due: Monotonic) {
        if self.armed.as_ref().is_some_and(|(at, _)| *at <= due) {
            return;
        }
        self.clear();
        // Up, not down: a timer that fires a moment too early would only be set again.
        let delay_ms = (due.since(now.monotonic).as_micros() as f64 / 1000.0).ceil();
        let handle = set_timeout(self.callback.as_ref(), delay_ms);
        self.armed = Some((due, handle));
    }

    /// It has fired.
    pub(crate) fn fired(&mut self) {
        self.armed = None;
    }

    pub(crate) fn clear(&mut self) {
        if let Some((_, handle)) = self.armed.take() {
            clear_timeout(&handle);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}

#[wasm_bindgen]
extern "C" {
    type MessageChannel;
    #[wasm_bindgen(constructor)]
    fn new() -> MessageChannel;
    #[wasm_bindgen(method, getter)]
    fn port1(this: &MessageChannel) -> MessagePort;
    #[wasm_bindgen(method, getter)]
    fn port2(this: &MessageChannel) -> MessagePort;
    type MessagePort;
    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &MessagePort, callback: &JsValue);
    #[wasm_bindgen(method, js_name = postMessage)]
    fn post_message(this: &MessagePort, message: &JsValue);
    #[wasm_bindgen(method)]
    fn close(this: &MessagePort);
}

/// A task of its own, behind what the browser has to do already. (A timer would be kept waiting, for a second in a hidden
/// tab.)
pub(crate) struct Turn {
    own: MessagePort,
    /// What is sent there comes to the other one.
    far: MessagePort,
    _callback: Closure<dyn Fn()>,
    asked: bool,
}

impl Turn {
    pub(crate) fn new(callback: impl Fn() + 'static) -> Self {
        let channel = MessageChannel::new();
        let callback = Closure::<dyn Fn()>::new(callback);
        let (own, far) = (channel.port1(), channel.port2());
        own.set_onmessage(callback.as_ref());
        Self { own, far, _callback: callback, asked: false }
    }

    /// Asks for it, unless it was asked for.
    pub(crate) fn ask(&mut self) {
        if !std::mem::replace(&mut self.asked, true) {
            self.far.post_message(&JsValue::NULL);
        }
    }

    /// It has come.
    pub(crate) fn came(&mut self) {
        self.asked = false;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.own.set_onmessage(&JsValue::NULL);
        self.own.close();
    }
}

/// What JavaScript threw, in its own words.
pub(crate) fn words(thrown: &JsValue) -> String {
    let message = thrown.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    message.or_else(|| thrown.as_string()).unwrap_or_else(|| "something that is no error".into())
}
