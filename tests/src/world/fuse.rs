//! Killing a use case between any two of its calls.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Counts the port calls of a run and lets none pass beyond a chosen point: the call never
/// returns, and [`run`] drops the use case there, as if its process had been killed.
#[derive(Default)]
pub struct Fuse(Mutex<Burning>);

#[derive(Default)]
struct Burning {
    points: u32,
    blows_at: Option<u32>,
    yields: bool,
    log: Vec<&'static str>,
}

impl Fuse {
    /// Blow at the `point`-th point from now, counted from 0. Each call has two: before its
    /// effect and after it.
    pub fn blow_at(&self, point: Option<u32>) {
        let yields = self.lock().yields;
        *self.lock() = Burning { points: 0, blows_at: point, yields, log: Vec::new() };
    }

    /// Whether the run was killed.
    pub fn is_blown(&self) -> bool {
        let burning = self.lock();
        burning.blows_at.is_some_and(|at| burning.points > at)
    }

    /// The calls since the fuse was set, for the message of a failing test.
    pub fn log(&self) -> Vec<&'static str> {
        self.lock().log.clone()
    }

    /// One port call: a point, the effect, a point.
    pub(crate) async fn call<T>(&self, name: &'static str, effect: impl FnOnce() -> T) -> T {
        self.lock().log.push(name);
        self.point().await;
        let answer = effect();
        self.point().await;
        answer
    }

    /// Once blown, nothing passes: whatever runs beside the killed call is killed with it.
    async fn point(&self) {
        if self.lock().yields {
            yield_once().await;
        }
        let killed = {
            let mut burning = self.lock();
            burning.points += 1;
            burning.blows_at.is_some_and(|at| burning.points > at)
        };
        if killed {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Burning> {
        self.0.lock().expect("no test panics while holding the fuse")
    }
}

/// Gives the other side its turn.
async fn yield_once() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref(); // or those who poll many would not poll this one again
        Poll::Pending
    })
    .await;
}

/// Runs two use cases side by side, as two processes: at every call `turn` says whose call comes
/// next (true: the first's). When the fuse blows, both are dropped; those that had ended have
/// their answer.
pub fn run_side_by_side<A, B>(
    fuse: &Fuse,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
    mut turn: impl FnMut() -> bool,
) -> (Option<A>, Option<B>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut a, mut b) = (None, None);
    let mut context = Context::from_waker(Waker::noop());
    fuse.lock().yields = true;
    for _ in 0..1_000_000 {
        if (turn() && a.is_none()) || b.is_some() {
            if let Poll::Ready(answer) = first.as_mut().poll(&mut context) {
                a = Some(answer);
            }
        } else if let Poll::Ready(answer) = second.as_mut().poll(&mut context) {
            b = Some(answer);
        }
        if (a.is_some() && b.is_some()) || fuse.is_blown() {
            fuse.lock().yields = false;
            return (a, b);
        }
    }
    panic!("the use cases wait for something that is not a port: {:?}", fuse.log());
}

/// Runs a use case to its end, or until the fuse blows: then it is dropped, and `None` returned.
pub fn run<T>(fuse: &Fuse, use_case: impl Future<Output = T>) -> Option<T> {
    let mut use_case = pin!(use_case);
    let mut context = Context::from_waker(Waker::noop());
    // Memory ports are always ready; a use case that yields to itself needs a few more polls.
    for _ in 0..1_000_000 {
        match use_case.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return Some(answer),
            Poll::Pending if fuse.is_blown() => return None,
            Poll::Pending => {}
        }
    }
    panic!("the use case waits for something that is not a port: {:?}", fuse.log());
}
