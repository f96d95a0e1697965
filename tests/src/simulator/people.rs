//! What people do in a history, by the real API: send one delivery again, many at once, cancel what
//! waits, stop a job. At any moment, under the same faults and kills as everything else.

use api::http::Request;
use domain::api_key::ApiKey;
use domain::delivery::Delivery;
use serde_json::{Value, json};

use super::history::History;
use crate::world::run;

/// How often people act, per mille of the steps.
const BUSY: u64 = 120;

impl History {
    /// Perhaps somebody does something. They have dice of their own, so that a history without
    /// people is the same as ever.
    pub(super) fn people_act(&mut self) {
        let Some(key) = self.key.clone() else { return };
        if !self.people.chance(BUSY) {
            return;
        }
        match self.people.below(10) {
            0..6 => self.somebody_retries(&key),
            6..8 => self.somebody_recovers(&key),
            8 => self.somebody_cancels(&key),
            _ => self.somebody_stops_a_job(&key),
        }
    }

    fn somebody_retries(&mut self, key: &ApiKey) {
        let deliveries: Vec<Delivery> = self.world.state().deliveries.values().cloned().collect();
        let Some(delivery) = self.people.pick(&deliveries) else { return };
        let (path, status) = (format!("/v1/deliveries/{}/retry", delivery.id), delivery.status);
        self.call(key, &path, &json!({}), &format!("sends again what is {status:?}"));
    }

    fn somebody_recovers(&mut self, key: &ApiKey) {
        let Some(endpoint) = self.people.pick(&self.endpoints).cloned() else { return };
        let mut body = self.window();
        body["max_per_second"] = (1 + self.people.below(100)).into();
        let statuses =
            [json!(["retrying", "failed", "skipped"]), json!("failed"), json!("skipped")];
        if let Some(status) = self.people.pick(&statuses) {
            body["status"] = status.clone();
        }
        let path = format!("/v1/endpoints/{endpoint}/recover");
        self.call(key, &path, &body, &format!("recovers {endpoint}"));
    }

    fn somebody_cancels(&mut self, key: &ApiKey) {
        let Some(endpoint) = self.people.pick(&self.endpoints).cloned() else { return };
        let body = self.window();
        let path = format!("/v1/endpoints/{endpoint}/cancel");
        self.call(key, &path, &body, &format!("cancels what waits for {endpoint}"));
    }

    fn somebody_stops_a_job(&mut self, key: &ApiKey) {
        let jobs: Vec<_> = self.world.state().jobs.keys().cloned().collect();
        let Some(job) = self.people.pick(&jobs) else { return };
        let path = format!("/v1/recoveries/{job}/cancel");
        self.call(key, &path, &json!({}), &format!("stops {job}"));
    }

    /// All there is so far, or the older half of it.
    fn window(&mut self) -> Value {
        let state = self.world.state();
        let (first, now) = (state.deliveries.values().map(|d| d.created_at).min(), state.now);
        drop(state);
        let from = first.unwrap_or(now).as_millis();
        let half = self.people.chance(300);
        let to = if half { from + (now.as_millis() - from) / 2 } else { now.as_millis() };
        let moment = |millis| domain::Timestamp::from_millis(millis).to_string();
        json!({"from": moment(from), "to": moment(to + 1)})
    }

    fn call(&mut self, key: &ApiKey, path: &str, body: &Value, what: &str) {
        let authorization = ("authorization".to_owned(), format!("Bearer {}", key.reveal()));
        let request = Request {
            method: "POST".into(),
            path: path.into(),
            query: String::new(),
            headers: [authorization].into(),
            body: body.to_string().into_bytes(),
            domain: "api.example.com".into(),
        };
        let killed = self.light_fuse();
        let response = run(self.world.fuse(), self.world.api().handle(&request));
        self.world.fuse().blow_at(None);
        let answered = response.map_or("dead".to_owned(), |response| response.status.to_string());
        self.note(&format!("somebody {what}{killed}: {answered}"));
    }
}
