//! What people do in a history, by the real API, at any moment, under the same faults and kills as
//! everything else. Owners switch endpoints off and on, change, test and delete them, and rotate
//! secrets; others send one delivery again, many at once, cancel what waits, stop a job, or erase
//! a payload.

use api::http::Request;
use domain::delivery::Delivery;
use domain::ids::EndpointId;
use serde_json::{Value, json};

use super::History;
use crate::world::run;

/// How often people send again, cancel or erase, per mille of the steps.
const BUSY: u64 = 120;

impl History {
    /// The first endpoint is never switched off nor deleted: it wants every event.
    pub(super) fn an_owner_acts(&mut self) {
        let ids = self.endpoints.clone();
        let (Some(any), other) = (self.dice.pick(&ids), self.dice.pick(&ids[1..])) else { return };
        match (self.dice.below(12), other) {
            (0, Some(id)) => self.change(id, "DELETE", "", &json!({}), "deleted"),
            (1..=2, Some(id)) => self.change(id, "POST", "/disable", &json!({}), "disabled"),
            (3..=5, Some(id)) => self.change(id, "POST", "/enable", &json!({}), "enabled"),
            (6..=7, _) => self.change(any, "POST", "/rotate-secret", &json!({}), "rotated"),
            (8, _) => {
                self.change(any, "POST", "/rotate-secret/finish", &json!({}), "rotation finished");
            }
            (9, _) => {
                let body = json!({"description": format!("edit {}", self.story.len())});
                self.change(any, "PATCH", "", &body, "edited");
            }
            (10..=11, _) => {
                self.change(any, "POST", "/test", &json!({"event": "email.sent"}), "tested");
            }
            // Not for an endpoint that is alone; but one that the suite disabled is enabled.
            (_, None) => self.change(any, "POST", "/enable", &json!({}), "enabled"),
            (12.., Some(_)) => {}
        }
    }

    fn change(
        &mut self,
        id: &EndpointId,
        method: &str,
        action: &str,
        body: &Value,
        deed: &'static str,
    ) {
        let path = format!("/v1/endpoints/{id}{action}");
        self.call((method, &path), body, deed, &format!("{id} is {deed}"));
    }

    /// Perhaps somebody does something. They have dice of their own, so that a history without
    /// people is the same as ever.
    pub(super) fn people_act(&mut self) -> bool {
        if !self.plan.people || !self.people.chance(BUSY) {
            return false;
        }
        match self.people.below(22) {
            0..12 => self.somebody_retries(),
            12..16 => self.somebody_recovers(),
            16..18 => self.somebody_cancels(),
            18..20 => self.somebody_stops_a_job(),
            _ => self.somebody_erases(),
        }
        true
    }

    fn somebody_retries(&mut self) {
        let ids: Vec<_> = self.world.state().deliveries.keys().cloned().collect();
        let Some(id) = self.people.pick(&ids) else { return };
        let status = self.world.state().deliveries.get(id).map(|d: &Delivery| d.status);
        let path = format!("/v1/deliveries/{id}/retry");
        let what = format!("sends again what is {status:?}");
        self.call(("POST", &path), &json!({}), "sent again", &what);
    }

    fn somebody_recovers(&mut self) {
        let Some(endpoint) = self.people.pick(&self.endpoints).cloned() else { return };
        let mut body = self.window();
        body["max_per_second"] = (1 + self.people.below(100)).into();
        let statuses =
            [json!(["retrying", "failed", "skipped"]), json!("failed"), json!("skipped")];
        if let Some(status) = self.people.pick(&statuses) {
            body["status"] = status.clone();
        }
        let path = format!("/v1/endpoints/{endpoint}/recover");
        self.call(("POST", &path), &body, "recovered", &format!("recovers {endpoint}"));
    }

    fn somebody_cancels(&mut self) {
        let Some(endpoint) = self.people.pick(&self.endpoints).cloned() else { return };
        let body = self.window();
        let path = format!("/v1/endpoints/{endpoint}/cancel");
        let what = format!("cancels what waits for {endpoint}");
        self.call(("POST", &path), &body, "cancelled", &what);
    }

    fn somebody_stops_a_job(&mut self) {
        let jobs: Vec<_> = self.world.state().jobs.keys().cloned().collect();
        let Some(job) = self.people.pick(&jobs) else { return };
        let path = format!("/v1/recoveries/{job}/cancel");
        self.call(("POST", &path), &json!({}), "job stopped", &format!("stops {job}"));
    }

    fn somebody_erases(&mut self) {
        let events: Vec<_> = self.world.state().events.keys().cloned().collect();
        let Some(event) = self.people.pick(&events) else { return };
        let path = format!("/v1/events/{event}/payload");
        self.call(("DELETE", &path), &json!({}), "erased", &format!("erases {event}"));
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
        json!({"from": moment(from), "to": moment(to.max(from) + 1)})
    }

    fn call(&mut self, (method, path): (&str, &str), body: &Value, deed: &'static str, what: &str) {
        let authorization = ("authorization".to_owned(), format!("Bearer {}", self.key.reveal()));
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: String::new(),
            headers: [authorization].into(),
            body: if method == "DELETE" { Vec::new() } else { body.to_string().into_bytes() },
            domain: "api.example.com".into(),
        };
        self.begin();
        let response = run(self.world.fuse(), self.world.api().handle(&request));
        let how = self.end();
        if response.as_ref().is_some_and(|response| response.status < 300) {
            self.did(deed);
        }
        let answered = response.map_or("dead".to_owned(), |response| response.status.to_string());
        self.note(&format!("somebody {what}{how}: {answered}"));
    }
}
