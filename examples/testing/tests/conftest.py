import pytest


@pytest.fixture
def office(ksr):
    """The router with two users, of whom bob is at his desk."""
    ksr.subscriber("alice", "secret-a", "office.example")
    ksr.subscriber("bob", "secret-b", "office.example")
    ksr.location.add("bob", "sip:bob@10.0.0.2:5060")
    return ksr


@pytest.fixture
def trunk(office):
    """Makes requests from the provider's address, which needs no password."""
    office.address(1, "10.9.0.0/16")

    def request(method, uri="sip:bob@office.example", **more):
        return office.request(method, uri, from_="sip:+4930123@trunk.example.net", src="10.9.0.1:5060", **more)

    return request
