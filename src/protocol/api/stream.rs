//! What opens a room's stream: the ticket.

use serde::Deserialize;

use super::super::{
    envelope::{ApiError, Envelope},
    lenient::{Int, List, Object, Text},
};

/// What the stream asks for at the door, and its doors.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamTicket {
    /// Belongs to the user and the user agent that fetched it. Secret.
    pub token: String,
    /// At least one, each once, in the order given.
    pub hosts: Vec<StreamHost>,
}

impl std::fmt::Debug for StreamTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamTicket").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// A server of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamHost {
    /// Its name.
    pub host: String,
    /// Where plain WebSocket is spoken.
    pub ws_port: u16,
    /// Where WebSocket over TLS is spoken.
    pub wss_port: u16,
}

/// `getDanmuInfo`: what opens a stream.
pub fn parse_danmu_info(body: &[u8]) -> Result<StreamTicket, ApiError> {
    let info: DanmuInfo = Envelope::read(body)?.data()?;
    let token = info.token.filled().ok_or(ApiError::Missing("token"))?;
    let mut hosts: Vec<StreamHost> = Vec::new();
    for host in info.host_list.0.into_iter().filter_map(|host| host.0) {
        let port = |port: Int, usual| port.positive().and_then(|port| u16::try_from(port).ok()).unwrap_or(usual);
        let Some(name) = host.host.filled() else { continue };
        let host = StreamHost { host: name, ws_port: port(host.ws_port, 2244), wss_port: port(host.wss_port, 443) };
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() {
        return Err(ApiError::Missing("host_list"));
    }
    Ok(StreamTicket { token, hosts })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DanmuInfo {
    token: Text,
    host_list: List<Object<Host>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Host {
    host: Text,
    ws_port: Int,
    wss_port: Int,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_names_each_host_once_and_hides_its_token() {
        let body = br#"{"code":0,"data":{"token":"secret","host_list":[
            {"host":"a.example","port":2243,"wss_port":2245,"ws_port":2244},
            {"host":"a.example","port":2243,"wss_port":"2245","ws_port":2244},
            {"host":""},null,{"host":"b.example","wss_port":443,"ws_port":99999}]}}"#;
        let ticket = parse_danmu_info(body).expect("is one");
        let host = |host: &str, ws_port, wss_port| StreamHost { host: host.into(), ws_port, wss_port };
        assert_eq!(ticket.hosts, [host("a.example", 2244, 2245), host("b.example", 2244, 443)]);
        assert_eq!(ticket.token, "secret");
        assert!(!format!("{ticket:?}").contains("secret"));
    }
}
