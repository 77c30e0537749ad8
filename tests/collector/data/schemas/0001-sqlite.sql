-- A store of the first release (schema 0001), as that release made it, with rows in every table.
-- Never to be changed: tests bring it up to every later schema.

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE callbacks (
    callback_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    arrival_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    provider TEXT NOT NULL,
    session_id TEXT NOT NULL,
    session_status TEXT,
    attempt_id TEXT,
    attempt_sequence INTEGER,
    channel TEXT,
    channel_status TEXT,
    error_code TEXT,
    requested_at INTEGER,
    recipient_key TEXT,
    country TEXT,
    number_block TEXT,
    proof TEXT NOT NULL,
    digest TEXT NOT NULL,
    extra TEXT,
    CONSTRAINT uq_callbacks_arrival_id UNIQUE (arrival_id)
)
 STRICT;

CREATE TABLE verifications (
    verification_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    verified_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    CONSTRAINT uq_verifications_session_id_verified_at UNIQUE (session_id, verified_at)
)
 STRICT;

CREATE TABLE pulse (
    collector TEXT NOT NULL,
    minute INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    repeated INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    refused_by TEXT NOT NULL,
    CONSTRAINT pk_pulse PRIMARY KEY (collector, minute)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE nonces (
    family TEXT NOT NULL,
    nonce_hash TEXT NOT NULL,
    digest TEXT NOT NULL,
    arrivals INTEGER NOT NULL,
    CONSTRAINT pk_nonces PRIMARY KEY (family, nonce_hash)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE quarantine (
    quarantine_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    proof TEXT NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    nonces TEXT NOT NULL,
    digest TEXT NOT NULL,
    replayed_at INTEGER
)
 STRICT;

CREATE INDEX ix_quarantine_nonces ON quarantine (nonces);

CREATE TABLE peppers (
    pepper_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL,
    check_value TEXT NOT NULL,
    CONSTRAINT uq_peppers_key_id UNIQUE (key_id)
)
 STRICT;

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING version_num;

INSERT INTO callbacks (callback_id, arrival_id, received_at, provider, session_id, session_status, attempt_id, attempt_sequence, channel, channel_status, error_code, requested_at, recipient_key, country, number_block, proof, digest, extra) VALUES (1, '5055fb65abbf3f5fac56e0e96ddc92c1a3a4d4db62d7cd89e3e937983ac16487', 1788264000000000, 'plivo', 'first', 'in-progress', 'first-a', 1, 'sms', 'delivered', '', 1788264000000001, '2b13171d:ba4980a16cd0cbcd813e1f6a8a9f1d0c4a246469aa52eca9f54ffdca48d67860', 'US', '1201555', 'v2', '1:783b6f67824ff5ab200be2eb66c06b88994dd7b402dc78e424cc298f60364508', NULL);
INSERT INTO callbacks (callback_id, arrival_id, received_at, provider, session_id, session_status, attempt_id, attempt_sequence, channel, channel_status, error_code, requested_at, recipient_key, country, number_block, proof, digest, extra) VALUES (2, 'fa5a6c3300dafafde837525c97e7b4a463eb6921c808f0c5bf52cc30d5b70586', 1788264030000000, 'plivo', 'first', 'in-progress', 'first-a', 1, 'sms', 'sent', '', 1788264000000001, '2b13171d:ba4980a16cd0cbcd813e1f6a8a9f1d0c4a246469aa52eca9f54ffdca48d67860', 'US', '1201555', 'v2', '1:9e7467dfbb9f3f3987cca489e873fd6d5704a1269b668317426cc211b118bbfd', '{"Extra": "kept, ''quoted''"}');
INSERT INTO callbacks (callback_id, arrival_id, received_at, provider, session_id, session_status, attempt_id, attempt_sequence, channel, channel_status, error_code, requested_at, recipient_key, country, number_block, proof, digest, extra) VALUES (3, 'd04443ffefd3d65b15c80be4d32a712f53b62bc17640b6d4f7daefb5710290a5', 1788264060000000, 'plivo', 'second', 'in-progress', 'second-a', 1, 'voice', 'delivered', '', 1788264000000001, NULL, NULL, NULL, 'v2', '1:bb0ecb65a20eb48d657c9f679c4258353cd6d51741156a7a353b9a11ed1f9f10', NULL);
INSERT INTO callbacks (callback_id, arrival_id, received_at, provider, session_id, session_status, attempt_id, attempt_sequence, channel, channel_status, error_code, requested_at, recipient_key, country, number_block, proof, digest, extra) VALUES (4, 'c0d82c5b2e994e1d0eb33fb3a8402dbc88af1c06992096b5883b27508aa0ec1e', 1788264090000000, 'plivo', 'first', 'in-progress', 'first-a', 1, 'sms', 'delivered', '', 1788264000000001, '84c7d81a:21942246885f85427efaa42193cba3eac4c551c41631ce6dfd26280efea55dcc', 'US', '1201555', 'v2', '1:783b6f67824ff5ab200be2eb66c06b88994dd7b402dc78e424cc298f60364508', NULL);
INSERT INTO callbacks (callback_id, arrival_id, received_at, provider, session_id, session_status, attempt_id, attempt_sequence, channel, channel_status, error_code, requested_at, recipient_key, country, number_block, proof, digest, extra) VALUES (5, 'ce9e3f9c7fd6d011d3343199e1b8cbb094410eafa21052666bdced9eb61b5f44', 1788264200000000, 'plivo', 'third', 'in-progress', 'third-a', 1, 'sms', 'delivered', '', NULL, '84c7d81a:21942246885f85427efaa42193cba3eac4c551c41631ce6dfd26280efea55dcc', 'US', '1201555', 'v2', '1:938cae1d7b2412a28cee162b0e24b25c5d6231a57f9272229ffcf70965051e33', '{"RequestTime": "never"}');
INSERT INTO nonces (family, nonce_hash, digest, arrivals) VALUES ('v2', '48501368b1dbc62ab11319d4608d25aa', '1:bb0ecb65a20eb48d657c9f679c4258353cd6d51741156a7a353b9a11ed1f9f10', 1);
INSERT INTO nonces (family, nonce_hash, digest, arrivals) VALUES ('v2', '73d5e48a7da3f2a9eeaa7a3304ddb764', '1:bd6cf94b889e33997fb1c138c84a113d75ff87934c8b314188d1eb4dae0902e4', 1);
INSERT INTO nonces (family, nonce_hash, digest, arrivals) VALUES ('v2', 'aaadc6a529b6bebc28bd25a666584946', '1:c59b4a1758325b144bc2744fb45ebb37f7739bb77d1acb170669f1b37d6b62d4', 1);
INSERT INTO nonces (family, nonce_hash, digest, arrivals) VALUES ('v2', 'd1b3707fbdc6a22d16e95bf6b910646f', '1:783b6f67824ff5ab200be2eb66c06b88994dd7b402dc78e424cc298f60364508', 2);
INSERT INTO nonces (family, nonce_hash, digest, arrivals) VALUES ('v2', 'd70d4cbd04b6a3140c2ee642a40820ab', '1:9e7467dfbb9f3f3987cca489e873fd6d5704a1269b668317426cc211b118bbfd', 1);
INSERT INTO nonces (family, nonce_hash, digest, arrivals) VALUES ('v2', 'ecce285a55a557f70581734b259ee2e4', '1:938cae1d7b2412a28cee162b0e24b25c5d6231a57f9272229ffcf70965051e33', 1);
INSERT INTO peppers (pepper_id, key_id, check_value) VALUES (1, '2b13171d', '9ab5eb3ccdcaf55c8e1b459aada19438be3909e6f6bb679771fffceb3f09f6f5');
INSERT INTO peppers (pepper_id, key_id, check_value) VALUES (2, '84c7d81a', 'e52e148b9d82562b0cd0f595ff444f4988491a289b5510729d8ee608d926e747');
INSERT INTO pulse (collector, minute, accepted, repeated, quarantined, refused, refused_by) VALUES ('replay', 1788264000000000, 2, 0, 0, 0, '{}');
INSERT INTO pulse (collector, minute, accepted, repeated, quarantined, refused, refused_by) VALUES ('replay', 1788264060000000, 1, 1, 2, 1, '{"nonce_reused": 1}');
INSERT INTO pulse (collector, minute, accepted, repeated, quarantined, refused, refused_by) VALUES ('replay', 1788264120000000, 0, 0, 0, 0, '{}');
INSERT INTO pulse (collector, minute, accepted, repeated, quarantined, refused, refused_by) VALUES ('replay', 1788264180000000, 1, 0, 0, 0, '{}');
INSERT INTO quarantine (quarantine_id, received_at, reason, proof, method, url, headers, body, nonces, digest, replayed_at) VALUES (1, 1788264091000000, 'nonce_reused', 'v2', 'POST', '/callbacks/plivo/3f9d1c', '[["X-Plivo-Signature-V2", "x5+P4m9LiWW+fIfNVRqo7k8t19eFB5l+W+eks3Ijjfc="], ["X-Plivo-Signature-V2-Nonce", "11111111111111111111"]]', X'53657373696f6e555549443d666f726765642653657373696f6e5374617475733d696e2d70726f6772657373265265717565737454696d653d323032362d30392d30312532303132253341303025334130302e30303030303126526563697069656e743d3132303135353530313233264368616e6e656c4572726f72436f64653d264368616e6e656c3d736d7326417474656d7074555549443d666f726765642d6126417474656d707453657175656e63653d31264368616e6e656c5374617475733d64656c697665726564', '[["v2", "d1b3707fbdc6a22d16e95bf6b910646f"]]', '1:49bba871b03d3e7f247038b6e75cc2876d608f0fd71ab3dc30e5afc4eafb562f', NULL);
INSERT INTO quarantine (quarantine_id, received_at, reason, proof, method, url, headers, body, nonces, digest, replayed_at) VALUES (2, 1788264092000000, 'no_session', 'v2', 'POST', '/callbacks/plivo/3f9d1c', '[["X-Plivo-Signature-V2", "9FhRlBERm2mh5HUhEf1bJs+LjPCdQ1/gd7wXXS0n44g="], ["X-Plivo-Signature-V2-Nonce", "44444444444444444444"]]', X'53657373696f6e555549443d2653657373696f6e5374617475733d696e2d70726f6772657373265265717565737454696d653d323032362d30392d30312532303132253341303025334130302e30303030303126526563697069656e743d3132303135353530313233264368616e6e656c4572726f72436f64653d264368616e6e656c3d736d7326417474656d7074555549443d712d6126417474656d707453657175656e63653d31264368616e6e656c5374617475733d64656c697665726564', '[["v2", "73d5e48a7da3f2a9eeaa7a3304ddb764"]]', '1:bd6cf94b889e33997fb1c138c84a113d75ff87934c8b314188d1eb4dae0902e4', NULL);
INSERT INTO quarantine (quarantine_id, received_at, reason, proof, method, url, headers, body, nonces, digest, replayed_at) VALUES (3, 1788264093000000, 'nul_character', 'v2', 'POST', '/callbacks/plivo/3f9d1c', '[["X-Plivo-Signature-V2", "p51QfjVjnQUHWnM+hXnAsJ+SlAP5SyU91JERaF/ddWs="], ["X-Plivo-Signature-V2-Nonce", "55555555555555555555"]]', X'53657373696f6e555549443dff0026623d31', '[["v2", "aaadc6a529b6bebc28bd25a666584946"]]', '1:c59b4a1758325b144bc2744fb45ebb37f7739bb77d1acb170669f1b37d6b62d4', NULL);
INSERT INTO verifications (verification_id, session_id, verified_at, received_at) VALUES (1, 'first', 1788264045000000, 1788264045000000);
