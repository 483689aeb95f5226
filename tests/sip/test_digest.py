"""Digest credentials. What $au, $aU and $ad show was compared with Kamailio 5.6.3."""

import hashlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.digest import ALGORITHMS, digest_response, ha1, parse_credentials
from ksrcore.sip.errors import ParseError, SipError

NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093"


def test_all_fields() -> None:
    body = (
        'Digest username="bob", realm="a b", nonce="n,1", uri="sip:r", response="ab", algorithm=SHA-256,'
        ' cnonce="c", opaque="", qop=auth, nc=00000001, foo="bar"'
    )
    found = parse_credentials(body)
    assert found.is_digest and found.scheme == "Digest"
    assert (found.username, found.realm, found.nonce, found.uri) == ("bob", "a b", "n,1", "sip:r")
    assert (found.response, found.algorithm, found.cnonce, found.opaque) == ("ab", "SHA-256", "c", "")
    assert (found.qop, found.nc, found.param("FOO"), found.param("none")) == ("auth", "00000001", "bar", None)
    assert repr(found) == f"Credentials({body!r})"


@pytest.mark.parametrize(
    "body",
    [
        "Digest username=bob,realm=r,nonce=n,uri=sip:r,response=x",
        'digest USERNAME="bob", Realm="r",nonce="n",uri="sip:r",response="x"',
        ' DIGEST\r\n username = "bob" ,\r\n realm = r,,nonce="n", uri="sip:r",response="x", ',
    ],
)
def test_forms(body: str) -> None:
    found = parse_credentials(body)
    values = (found.username, found.realm, found.nonce, found.uri, found.response)
    assert values == ("bob", "r", "n", "sip:r", "x")
    assert found.algorithm == found.qop == ""


@pytest.mark.parametrize(
    ("username", "user", "domain"),
    [
        ("bob", "bob", ""),
        ("bob@dom", "bob", "dom"),
        ("sip:bob@dom", "bob", "dom"),
        ("SIPS:bob:pw@dom:5060", "bob:pw", "dom:5060"),
        ("@dom", "", "dom"),
        ("a@b@c", "a", "b@c"),
        ("x:bob@dom", "x:bob", "dom"),
        ("", "", ""),
    ],
)
def test_user_and_domain(username: str, user: str, domain: str) -> None:
    found = parse_credentials(f'Digest username="{username}"')
    assert (found.username, found.user, found.domain) == (username, user, domain)


def test_escapes_stay_and_count_unescaped_in_the_hash() -> None:
    found = parse_credentials(r'Digest username="b\"ob", realm="r", nonce="n", uri="u"')
    assert found.username == r"b\"ob"
    assert found.expected("M", "p") == digest_response(
        username='b"ob', realm="r", secret="p", method="M", uri="u", nonce="n"
    )


def test_other_schemes_have_no_fields() -> None:
    found = parse_credentials("Basic dXNlcjpw")
    assert (found.scheme, found.username, found.is_digest) == ("Basic", "", False)
    assert parse_credentials('NoOneKnowsThisScheme opaque-data="here"').username == ""
    assert parse_credentials("Digest").realm == ""


@pytest.mark.parametrize(
    "body",
    [
        *["", " ", 'username="bob"', "Digest username", 'Digest username="bob', 'Digest username="bob"realm="r"'],
        *['Digest a"b=1', "Digest a=b c", "Digest =x", "Digest a b=c", 'Digest a=b"c"', '"Digest" a=b', "Digest,a=b"],
    ],
)
def test_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_credentials(body)


def test_rfc_2617_example() -> None:
    """RFC 2617 3.5, and the same without qop."""
    response = partial(
        digest_response,
        username="Mufasa",
        realm="testrealm@host.com",
        secret="Circle Of Life",
        method="GET",
        uri="/dir/index.html",
        nonce=NONCE,
    )
    assert response(qop="auth", nc="00000001", cnonce="0a4f113b") == "6629fae49393a05397450978507c4ef1"
    assert response() == "670fd8c2df070c60b045671b8b24ff02"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_example(algorithm: str, response: str) -> None:
    """RFC 7616 3.9.1."""
    assert response == digest_response(
        username="Mufasa",
        realm="http-auth@example.org",
        secret="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm=algorithm,
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


@pytest.mark.parametrize(
    ("algorithm", "qop", "response"),
    [
        ("", "", "bf57e4e0d0bffc0fbaedce64d59add5e"),
        ("MD5", "auth", "89eb0059246c02b2f6ee02c7961d5ea3"),
        ("MD5", "auth-int", "bdbeebb2da6adb6bca02599c2239e192"),
        ("MD5-sess", "auth", "e4e4ea61d186d07a92c9e1f6919902e9"),
        ("MD5-sess", "auth-int", "91984da2d8663716e91554859c22ca70"),
    ],
)
def test_sip_examples(algorithm: str, qop: str, response: str) -> None:
    """draft-smith-sipping-auth-examples-01 section 3: an INVITE with SDP."""
    body = (
        b"v=0\r\no=bob 2890844526 2890844526 IN IP4 media.biloxi.com\r\ns=-\r\nc=IN IP4 media.biloxi.com\r\nt=0 0\r\n"
        b"m=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
        b"m=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n"
    )
    found = parse_credentials(
        f'Digest username="bob", realm="biloxi.com", nonce="{NONCE}", uri="sip:bob@biloxi.com", qop={qop},'
        f' nc=00000001, cnonce="0a4f113b", algorithm={algorithm}'
    )
    assert found.expected("INVITE", "zanzibar", body) == response
    stored = ha1("bob", "biloxi.com", "zanzibar", algorithm)
    assert found.expected("INVITE", stored, body, hashed=True) == response


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm(algorithm: str) -> None:
    plain = algorithm.removesuffix("-sess")
    names = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}

    def h(text: str) -> str:
        return hashlib.new(names[plain], text.encode()).hexdigest()

    first = h("u:r:p")
    if algorithm != plain:
        first = h(f"{first}:n:c")
    response = partial(digest_response, username="u", realm="r", secret="p", method="M", uri="x", nonce="n", cnonce="c")
    assert response(algorithm=algorithm.lower(), qop="auth", nc="1") == h(f"{first}:n:1:c:auth:{h('M:x')}")


def test_unknown_algorithm_and_qop() -> None:
    with pytest.raises(SipError, match="SHA-256"):
        ha1("u", "r", "p", "ROT13")
    with pytest.raises(SipError, match="auth-int"):
        parse_credentials("Digest qop=none").expected("M", "p")


def test_the_corpus_register_authenticates(corpus: dict[str, bytes]) -> None:
    (line,) = [line for line in corpus["register"].decode("latin-1").split("\r\n") if line.startswith("Authorization:")]
    found = parse_credentials(line.partition(":")[2])
    assert found.expected("REGISTER", "zanzibar") == found.response
    assert found.expected("REGISTER", "wrong") != found.response


@given(st.text(st.characters(max_codepoint=255)) | st.builds("Digest {}".format, st.text('ab=," \\\r\n')))
def test_only_parse_errors(body: str) -> None:
    try:
        found = parse_credentials(body)
    except ParseError:
        return
    assert found.text == body.strip(" \t\r\n")
    assert found.username.removeprefix("sip:").startswith(found.user)


@pytest.mark.parametrize("filler", [",", "a=b,", 'a="b",'])
def test_fields_are_bounded(filler: str) -> None:
    assert parse_credentials("Digest x=y," + filler * 99).param("x") == "y"
    with pytest.raises(ParseError, match="at most 100 name=value credentials"):
        parse_credentials("Digest x=y," + filler * 100)
