//! What the diagnostics file holds, and what it never does.

use actix_web::{
    App,
    test::{TestRequest, call_service, init_service, read_body},
};

use super::{configure, tests::rig};
use crate::supervise::warnings;

#[actix_web::test]
async fn the_diagnostics_file_tells_everything_but_secrets_and_only_to_an_administrator() {
    warnings::note("WARN", "test", "the cookie was SESSDATA=a-cookie-of-bilibili; and redis://:a-redis-password@host");
    let rig = rig();
    let door = init_service(App::new().app_data(rig.site.clone()).configure(configure)).await;
    let path = "/live/api/admin/diagnostics/";
    let refused = call_service(&door, TestRequest::get().uri(path).to_request()).await;
    assert_eq!(refused.status(), 401);
    let form = TestRequest::post().uri("/live/admin/diagnostics").set_form([("token", "guess")]).to_request();
    assert_eq!(call_service(&door, form).await.status(), 401);

    let asked = TestRequest::get().uri(path).insert_header(("Authorization", "Bearer robot")).to_request();
    let answer = call_service(&door, asked).await;
    assert_eq!(answer.status(), 200);
    let disposition = answer.headers().get("Content-Disposition").expect("a file").to_str().expect("text").to_owned();
    assert!(disposition.starts_with("attachment; filename=\"blm-diagnostics-"), "{disposition}");
    let text = String::from_utf8(read_body(answer).await.to_vec()).expect("UTF-8");
    for part in ["\"health\"", "\"settings\"", "\"deaths\"", "\"unknown_commands\"", "SESSDATA=…", "redis://…@host"]
    {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    // The password, the token, and what people of the upstream have that we must not pass on.
    for secret in ["robot", "a-cookie-of-bilibili", "a-redis-password", "\"sample\""] {
        assert!(!text.contains(secret), "{secret} is in it: {text}");
    }
}
