//! Mail, through SES.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use domain::mail::Mail;
use domain::ports::{Mails, PortError, PortResult};
use domain::settings::{Lookup, SettingResult};

use crate::error::port_error;

const CALL: &str = "mails.send";

/// An SES account with the address we send from.
#[derive(Debug, Clone)]
pub struct PostOffice {
    client: Client,
    sender: String,
    configuration_set: String,
}

impl PostOffice {
    /// From `ALERT_SENDER` and `MAIL_CONFIGURATION_SET`; `None` if the stack has no sender: then
    /// nothing is mailed.
    ///
    /// # Errors
    /// If there is a sender without a configuration set.
    pub fn from_settings(config: &SdkConfig, settings: &Lookup<'_>) -> SettingResult<Option<Self>> {
        let Some(sender) = settings.text_or_nothing("ALERT_SENDER") else {
            return Ok(None);
        };
        let configuration_set = settings.text("MAIL_CONFIGURATION_SET")?;
        Ok(Some(Self { client: Client::new(config), sender, configuration_set }))
    }
}

impl Mails for PostOffice {
    async fn send(&self, mail: &Mail) -> PortResult<()> {
        let part = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let parts = [&mail.subject, &mail.text, &mail.html].map(|text| part(text));
        let [Ok(subject), Ok(text), Ok(html)] = parts else {
            return Err(PortError::new(CALL, "the mail has no text"));
        };
        let body = Body::builder().text(text).html(html).build();
        let message = Message::builder().subject(subject).body(body).build();
        let request = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(EmailContent::builder().simple(message).build())
            .configuration_set_name(&self.configuration_set);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(port_error(CALL, &error)),
        }
    }
}
