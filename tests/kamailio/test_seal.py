"""Nothing leaves the process beside a server: by its modules, and by whatever its script does."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ksrcore.kamailio.node import Bounded

PARAMS = """
dispatcher list_file "{folder}/dispatcher.list"
dispatcher ds_ping_interval 1
dispatcher ds_probing_mode 1
nathelper natping_interval 1
nathelper sipping_from "sip:ping@lab.test"
uac reg_db_url "sqlite:///{folder}/live.db"
uac reg_contact_addr "127.0.0.1:5066"
uac reg_timer_interval 1
dmq server_address "sip:127.0.0.1:5066"
dmq notification_address "sip:peer.example.com:5060"
evapi bind_addr "127.0.0.1:{port}"
nats nats_url "nats://127.0.0.1:{port}"
nats subject_queue_group "calls:one"
ndb_redis server "name=r;addr=127.0.0.1;port={port};db=0"
http_client httpcon "web=>http://127.0.0.1:{port}/"
http_async_client workers 2
statsd ip "127.0.0.1"
statsd port "{port}"
siptrace duplicate_uri "sip:127.0.0.1:{port}"
siptrace trace_on 1
siptrace trace_mode 1
siptrace hep_mode_on 1
sqlops sqlcon "ca=>sqlite:///{folder}/live.db"
sqlops sqlcon "my=>mysql://u:p@db.example.com/calls"
sipdump enable 1
sipdump mode 5
sipdump folder "{folder}"
jsonrpcs transport 6
jsonrpcs fifo_name "{folder}/rpc.fifo"
jsonrpcs dgram_socket "{folder}/rpc.sock"
rtpengine rtpengine_sock "udp:127.0.0.1:{port}"
rtpproxy rtpproxy_sock "udp:127.0.0.1:{port}"
rtpproxy rtpproxy_sock "unix:{folder}/rtpproxy.sock"
htable htable "a=>size=4;dbtable=a;"
htable event_callback "ksr_htable"
htable enable_dmq 1
htable db_url "sqlite:///{folder}/live.db"
mqueue mqueue "name=q;dbmode=1"
mqueue db_url "mysql://u:p@db.example.com/calls"
acc db_url "mysql://u:p@db.example.com/calls"
usrloc db_url "mysql://u:p@db.example.com/calls"
usrloc db_mode 2
permissions db_url "mysql://u:p@db.example.com/calls"
auth_db db_url "mysql://u:p@db.example.com/calls"
dialog db_mode 1
tm fr_timer 7000
"""

SCRIPT = """
import KSR

CALLS = (
    lambda: KSR.http_client.query("http://127.0.0.1:{port}/", "$var(x)"),
    lambda: KSR.http_client.curl_connect("web", "x", "$var(x)"),
    lambda: KSR.http_async_client.query("http://127.0.0.1:{port}/", "ksr_web"),
    lambda: KSR.ruxc.http_get("http://127.0.0.1:{port}/", "", "$var(x)"),
    lambda: KSR.ndb_redis.redis_cmd("r", "GET a", "x"),
    lambda: KSR.statsd.statsd_incr("calls"),
    lambda: KSR.nats.publish("calls", "one"),
    lambda: KSR.evapi.relay("hello"),
    lambda: KSR.rtpproxy.rtpproxy_offer0(),
    lambda: KSR.rtpengine.rtpengine_offer0(),
    lambda: KSR.siptrace.sip_trace(),
    lambda: KSR.siptrace.sip_trace_dst("sip:collector.example.com:9060"),
    lambda: KSR.sqlops.sql_query("ca", "select 1", "x"),
    lambda: KSR.sqlops.sql_query("my", "select 1", "x"),
    lambda: KSR.corex.file_write("{folder}/written", "x"),
    lambda: KSR.ipops.dns_query("peer.example.com", "x"),
    lambda: KSR.log_systemd.sd_journal_print("LOG_INFO", "x"),
    lambda: KSR.dmq.t_replicate(),
    lambda: KSR.dispatcher.ds_select_dst(1, 4),
    lambda: KSR.mqueue.mq_add("q", "a", "b"),
    lambda: KSR.xlog.xinfo("hello\\n"),
    lambda: KSR.acc.acc_db_request("x", "acc"),
    lambda: KSR.registrar.save("location", 0),
    lambda: KSR.tm.t_relay(),
)


def ksr_request_route():
    done = []
    for call in CALLS:
        try:
            done.append(repr(call()))
        except Exception as error:
            done.append(f"{{type(error).__name__}}: {{error}}")
    KSR.pv.sets("$avp(done)", "\\n".join(done))
    return 1


def ksr_htable(msg, event):
    KSR.htable.sht_sets("a", "key", event)
    return 1
"""

# What the process would reach, told instead of refused.
PROGRAM = """
import json, os, sys
from pathlib import Path
from types import SimpleNamespace

folder = Path(sys.argv[1])
import ksrcore.kamailio.beside, ksrcore.debug.sandbox, ksrcore.kamailio.node
from ksrcore.kamailio import node, seal
from ksrcore.kamailio.beside import Beside
from ksrcore.kamailio.cfg import read
from ksrcore.debug.sandbox import Sandbox
from ksrcore.net.address import Rcv

node.warm_up()
info = SimpleNamespace(facts={"script": str(folder / "route.py"), "sockets": []}, problem="",
                       config=read(folder / "kamailio.cfg"))
sys.dont_write_bytecode = True
outside = []

def hook(event, args):
    if event.startswith(("socket.", "subprocess.", "syslog.", "os.")) and event not in ("os.listdir", "os.scandir"):
        if event not in ("socket.__new__", "socket.gethostname"):
            outside.append((event, repr(args)))
        elif event == "socket.__new__":
            outside.append((event, repr(args[1:])))
    elif event == "open" and isinstance(args[0], (str, bytes)):
        if isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            outside.append((event, repr(args)))
    elif event == "sqlite3.connect" and args[0] != ":memory:":
        outside.append((event, repr(args)))

before = set(os.listdir(folder))
sys.addaudithook(hook)
beside = Beside(info, "x", [])
proxy = beside.proxy
message = (
    "INVITE sip:bob@lab.test SIP/2.0\\r\\nVia: SIP/2.0/UDP 127.0.0.1:7;branch=z9hG4bK1\\r\\nFrom: <sip:a@b>;tag=1\\r\\n"
    "To: <sip:b@b>\\r\\nCall-ID: c1\\r\\nCSeq: 1 INVITE\\r\\nContact: <sip:a@127.0.0.1:7>\\r\\nMax-Forwards: 70\\r\\n"
    "Content-Type: application/sdp\\r\\nContent-Length: 0\\r\\n\\r\\n"
)
record = proxy.recorder.add(proxy.wall(), Rcv("udp", "127.0.0.1", 7, "127.0.0.1", 5066, proxy.listens[0], 0), message)
box = Sandbox(proxy, record)
box.proxy.env.run = box.run
from ksrcore.debug.sandbox import Sandboxes
boxes = Sandboxes(proxy)
number = boxes.add(record)
with boxes.working_in(boxes.get(number)):
    proxy.script.module.ksr_request_route()
done = boxes.call(number, "pv.get", ("$avp(done)",))
item = boxes.call(number, "htable.sht_get", ("a", "key"))
params = {name: getattr(proxy.module(module), name) for module, name in (
    ("tm", "fr_timer"), ("dispatcher", "ds_ping_interval"), ("sipdump", "enable"), ("nathelper", "natping_interval"),
    ("rtpproxy", "rtpproxy_sock"))}
result = {"outside": outside[:], "notes": beside.notes, "problem": beside.problem, "done": str(done).split("\\n"),
          "records": len(proxy.recorder), "params": params, "item": item}
beside.close()
result["outside"] = outside[:]
result["made"] = sorted(set(os.listdir(folder)) - before)
print(json.dumps(result))
"""


def run(program: str, *args: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_modules_reach_nobody(tmp_path: Path) -> None:
    values = {"folder": tmp_path, "port": 9}
    (tmp_path / "dispatcher.list").write_text("1 sip:127.0.0.1:9\n1 sip:gateway.example.com:5060\n")
    (tmp_path / "route.py").write_text(SCRIPT.format(**values))
    params = [line.format(**values).split(" ", 2) for line in PARAMS.strip().splitlines()]
    lines = [f'loadmodule "{name}.so"' for name in dict.fromkeys(module for module, _, _ in params)]
    lines += [f'modparam("{module}", "{name}", {value})' for module, name, value in params]
    (tmp_path / "kamailio.cfg").write_text(
        "\n".join(
            [
                "#!KAMAILIO",
                "listen=udp:127.0.0.1:5066",
                "listen=udp:sip.example.com:5060",
                'loadmodule "app_python3.so"',
                f'modparam("app_python3", "load", "{tmp_path / "route.py"}")',
                *lines,
                'cfgengine "python"',
            ]
        )
    )
    result = run(PROGRAM, str(tmp_path))
    assert result["outside"] == []
    assert result["made"] == []
    assert result["problem"] == ""
    # All modules have their parameters, the events of the start were run, and only the workers' messages are there.
    assert result["params"] == {
        "fr_timer": 7000, "ds_ping_interval": 1, "enable": 1, "natping_interval": 1,
        "rtpproxy_sock": ["udp:127.0.0.1:9", f"unix:{tmp_path}/rtpproxy.sock"],
    }, result["notes"]  # fmt: skip
    assert result["item"] == "htable:mod-init"
    assert result["records"] == 1
    assert len(result["done"]) == SCRIPT.count("lambda:"), result["done"]


ATTEMPTS = {
    "a connection": "socket.create_connection(('127.0.0.1', 9), 1)",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "a message": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', 9))",
    "a port": "socket.socket().bind(('127.0.0.1', 0))",
    "a name": "socket.getaddrinfo('peer.example.com', 80)",
    "the log": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect('/dev/log')",
    "an abstract socket": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect('\\0other')",
    "syslog": "__import__('syslog').syslog('x')",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "a fork": "os.fork()",
    "a signal": "os.kill(os.getppid(), 0)",
    "a file": "open(OUT, 'w')",
    "a file by descriptor": "os.open(OUT, os.O_CREAT | os.O_WRONLY)",
    "a folder": "os.mkdir(OUT)",
    "a removed file": "os.remove(SCRIPT)",
    "a renamed file": "os.rename('own', OUT)",
    "a database": "sqlite3.connect(OUT)",
    "another folder": "os.chdir('/')",
    "a thread": "threaded(lambda: open(OUT, 'w'))",
}

SEALED = """
import json, os, socket, sqlite3, subprocess, sys, threading
from ksrcore.kamailio.seal import Sealed, ours, seal

SCRIPT, OUT = sys.argv[2], sys.argv[2] + ".out"
os.chdir(sys.argv[1])
seal(sys.argv[1])

def threaded(fn):
    raised = []
    def work():
        try:
            fn()
        except BaseException as error:
            raised.append(error)
    thread = threading.Thread(target=work)
    with ours():
        thread.start()
        thread.join()
    if raised:
        raise raised[0]

found = {}
for name, text in json.loads(sys.argv[3]).items():
    try:
        eval(text)
        found[name] = "done"
    except Sealed as error:
        found[name] = "sealed"
    except Exception as error:
        found[name] = repr(error)
print(json.dumps(found))
"""


def test_what_the_script_tries_is_refused(tmp_path: Path) -> None:
    inside, script = tmp_path / "x.kamailio", tmp_path / "route.py"
    inside.mkdir()
    script.write_text("")
    found = run(SEALED, str(inside), str(script), json.dumps(ATTEMPTS))
    assert found == dict.fromkeys(ATTEMPTS, "sealed")
    assert script.exists() and not list(tmp_path.glob("*.out")) and not list(inside.iterdir())


ALLOWED = {
    "a file": "open('own', 'w').write('x')",
    "a read": "open(SCRIPT).read()",
    "nothing": "open('/dev/null', 'w').write('x')",
    "renamed": "os.rename('own', 'other')",
    "removed": "os.remove('other')",
    "a socket": "socket.socket(socket.AF_UNIX).bind('x.sock')",
    "a number": "socket.getaddrinfo('127.0.0.1', 80)",
    "memory": "sqlite3.connect(':memory:').close()",
    "import": "__import__('uuid').uuid4()",
}


def test_its_own_folder_is_its_own(tmp_path: Path) -> None:
    inside, script = tmp_path / "x.kamailio", tmp_path / "route.py"
    inside.mkdir()
    script.write_text("")
    assert run(SEALED, str(inside), str(script), json.dumps(ALLOWED)) == dict.fromkeys(ALLOWED, "done")


OURS = """
import asyncio, json, os, socket, sys
from ksrcore.kamailio.seal import Sealed, ours, seal

seal(sys.argv[1])

def ask():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", 9))

async def main():
    with ours():
        await asyncio.to_thread(ask)
        ask()
    try:
        await asyncio.to_thread(ask)
    except Sealed as error:
        return str(error)

print(json.dumps(asyncio.run(main())))
"""


def test_the_node_does_its_own_work(tmp_path: Path) -> None:
    said = run(OURS, str(tmp_path))
    assert "nothing leaves the process beside a server: socket.sendto" in said and "127.0.0.1" in said


def test_the_node_steps_behind_the_workers() -> None:
    program = "import json, os\nfrom ksrcore.kamailio.node import step_back\nfor _ in range(2):\n    step_back()\n"
    program += "print(json.dumps(os.getpriority(os.PRIO_PROCESS, 0)))"
    assert run(program) == max(5, os.getpriority(os.PRIO_PROCESS, 0))


def test_the_log_is_bounded() -> None:
    bounded = Bounded(3)
    records = [logging.makeLogRecord({"msg": f"line {n}"}) for n in range(6)]
    kept = [record.getMessage() for record in records if bounded.filter(record)]
    assert kept == ["line 0", "line 1", "that was the last line: nothing more is logged"]
