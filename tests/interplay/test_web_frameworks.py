"""Flask, Django and Bottle, and WebSockets by flask-sock and Flask-SocketIO, under `hubcore serve`."""

import hashlib
import os
import random
import threading

import pytest

from tests.cli.test_cli_serve import serving

pytest.importorskip("httptools")
requests = pytest.importorskip("requests")

BIG = random.Random(5).randbytes(3_000_000)


@pytest.fixture
def serve(tmp_path, hub_backend):
    """Serves a program of this text; gives the address and the running command."""

    def serve(source, *arguments, **variables):
        (tmp_path / "app.py").write_text(source)
        return serving(tmp_path, "app", *arguments, HUB_BACKEND=hub_backend, **variables)

    return serve


FLASK = """
import time
from flask import Flask, Response, abort, jsonify, request, send_file, session, stream_with_context

app = Flask(__name__)
app.secret_key = "x"

@app.get("/")
def index():
    return "hello"

@app.get("/slow")
def slow():
    time.sleep(0.2)
    return "slow"

@app.post("/form")
def form():
    file = request.files["file"]
    return jsonify(name=file.filename, size=len(file.read()), text=request.form["text"])

@app.post("/raw")
def raw():
    return jsonify(size=len(request.get_data()), type=request.content_type)

@app.get("/events")
def events():
    def lines():
        for i in range(5):
            yield f"data: {i}\\n\\n"
            time.sleep(0.01)
    return Response(stream_with_context(lines()), mimetype="text/event-stream")

@app.get("/file")
def file():
    return send_file(__file__, conditional=True)

@app.get("/count")
def count():
    session["n"] = session.get("n", 0) + 1
    return str(session["n"])

@app.get("/error")
def error():
    raise ValueError("mine")

@app.get("/nothing")
def nothing():
    return "", 204

@app.get("/<name>")
def other(name):
    abort(404)
"""


def test_flask(serve, tmp_path):
    pytest.importorskip("flask")
    with serve(FLASK) as running, requests.Session() as client:
        url = f"http://127.0.0.1:{running.port}"
        assert client.get(f"{url}/").text == "hello"
        assert client.head(f"{url}/").headers["Content-Length"] == "5"
        answer = client.post(f"{url}/form", files={"file": ("big.bin", BIG)}, data={"text": "\u00e9"}).json()
        assert answer == {"name": "big.bin", "size": len(BIG), "text": "\u00e9"}
        assert client.post(f"{url}/raw", data=iter([b"a" * 1000] * 50)).json()["size"] == 50_000  # in chunks
        with client.get(f"{url}/events", stream=True) as response:
            assert [line for line in response.iter_lines() if line] == [b"data: %d" % i for i in range(5)]
        source = (tmp_path / "app.py").read_bytes()
        assert client.get(f"{url}/file").content == source
        ranged = client.get(f"{url}/file", headers={"Range": "bytes=5-14"})
        assert (ranged.status_code, ranged.content) == (206, source[5:15])
        tag = client.get(f"{url}/file").headers["ETag"]
        assert client.get(f"{url}/file", headers={"If-None-Match": tag}).status_code == 304
        assert [client.get(f"{url}/count").text for _ in range(3)] == ["1", "2", "3"]
        assert (client.get(f"{url}/error").status_code, client.get(f"{url}/none").status_code) == (500, 404)
        assert client.get(f"{url}/nothing").status_code == 204
        assert client.get(f"{url}/").text == "hello"
        together = [threading.Thread(target=requests.get, args=(f"{url}/slow",)) for _ in range(20)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert running.end() == 0


BOTTLE = """
import bottle
app = bottle.Bottle()

@app.get("/hello/<name>")
def hello(name):
    return f"hello {name}"

@app.post("/form")
def form():
    upload = bottle.request.files.file
    return {"name": upload.filename, "size": len(upload.file.read()), "text": bottle.request.forms.text}

@app.get("/stream")
def stream():
    yield "a"
    yield "b"

@app.get("/file")
def file():
    return bottle.static_file("app.py", root=".")
"""


def test_bottle(serve, tmp_path):
    pytest.importorskip("bottle")
    with serve(BOTTLE) as running, requests.Session() as client:
        url = f"http://127.0.0.1:{running.port}"
        assert client.get(f"{url}/hello/you").text == "hello you"
        answer = client.post(f"{url}/form", files={"file": ("big.bin", BIG)}, data={"text": "x"}).json()
        assert answer == {"name": "big.bin", "size": len(BIG), "text": "x"}
        assert client.get(f"{url}/stream").text == "ab"
        assert client.get(f"{url}/file").content == (tmp_path / "app.py").read_bytes()
        assert client.get(f"{url}/none").status_code == 404


DJANGO = """
import hashlib, os, sys
import django
from django.conf import settings
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="x", DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.auth.context_processors.auth",
                               "django.contrib.messages.context_processors.messages"]}}],
    USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField", FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,
)
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.views.decorators.csrf import csrf_exempt

if not os.path.exists("db.sqlite3"):
    call_command("migrate", verbosity=0)
    User.objects.create_superuser("root", "root@example.com", "secret")

@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"name": file.name, "size": file.size, "digest": digest.hexdigest()})

urlpatterns = [
    path("admin/", admin.site.urls),
    path("upload", upload),
    path("stream", lambda request: StreamingHttpResponse(iter([b"a", b"b"]))),
    path("file", lambda request: FileResponse(open(__file__, "rb"))),
]
application = get_wsgi_application()
"""


def test_django_with_its_admin_and_an_upload(serve, tmp_path):
    pytest.importorskip("django")
    with serve(DJANGO) as running, requests.Session() as client:
        url = f"http://127.0.0.1:{running.port}"
        page = client.get(f"{url}/admin/login/?next=/admin/")
        assert "Django administration" in page.text
        form = {
            "username": "root",
            "password": "secret",
            "next": "/admin/",
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        entered = client.post(f"{url}/admin/login/", data=form)
        assert entered.url == f"{url}/admin/"
        assert "Site administration" in entered.text
        add = f"{url}/admin/auth/user/add/"
        client.get(add)
        new = {
            "username": "new",
            "password1": "long-and-odd-1",
            "password2": "long-and-odd-1",
            "usable_password": "true",
        }
        made = client.post(add, data={**new, "csrfmiddlewaretoken": client.cookies["csrftoken"]})
        assert "was added successfully" in made.text
        answer = client.post(f"{url}/upload", files={"file": ("big.bin", BIG)}).json()
        assert answer == {"name": "big.bin", "size": len(BIG), "digest": hashlib.sha256(BIG).hexdigest()}
        assert client.get(f"{url}/stream").content == b"ab"
        assert client.get(f"{url}/file").content == (tmp_path / "app.py").read_bytes()
        assert running.end() == 0
        assert "Traceback" not in running.said()


FLASK_SOCK = """
from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}
sock = Sock(app)
everybody = set()

@app.get("/")
def index():
    return "hello"

@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())

@sock.route("/chat")
def chat(ws):
    everybody.add(ws)
    try:
        while True:
            text = ws.receive()
            for each in list(everybody):
                each.send(text)
    finally:
        everybody.discard(ws)
"""


def test_websockets_by_flask_sock(serve):
    pytest.importorskip("flask_sock")
    websocket = pytest.importorskip("websocket")
    with serve(FLASK_SOCK, "--access-log", "access.log", "--log-format", "%(U)s %(s)s") as running:
        url = f"ws://127.0.0.1:{running.port}"
        one = websocket.create_connection(f"{url}/echo", timeout=20)
        for message in ("text", "\u00e9" * 1000, "x" * 200_000):
            one.send(message)
            assert one.recv() == message
        one.send_binary(b"\0" * 70_000)
        assert one.recv() == b"\0" * 70_000
        one.ping("still there?")
        one.close()
        people = [websocket.create_connection(f"{url}/chat", timeout=20) for _ in range(5)]
        running.get()
        for number, person in enumerate(people):
            person.send(f"I am {number}")
            assert [each.recv() for each in people] == [f"I am {number}"] * 5
        people[0].sock.close()  # without a word
        people[1].close()
        people[2].send("bye")
        assert people[3].recv() == "bye"
        for person in people[2:]:
            person.close()
        running.wait_until(lambda: (running.log.parent / "access.log").read_text().count(" 101\n") == 6)
        assert requests.get(f"http://127.0.0.1:{running.port}/echo").status_code == 400
        assert running.end() == 0
        assert "Traceback" not in running.said()


SOCKETIO = """
from flask import Flask
from flask_socketio import SocketIO, emit

application = Flask(__name__)
io = SocketIO(application, async_mode="threading")

@io.on("message")
def message(text):
    emit("answer", text.upper(), broadcast=True)
"""


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_flask_socketio(serve, transport):
    pytest.importorskip("flask_socketio")
    socketio = pytest.importorskip("socketio")
    with serve(SOCKETIO) as running:
        heard = []
        came = threading.Event()
        client = socketio.Client()

        @client.on("answer")
        def answer(text):
            heard.append(text)
            came.set()

        client.connect(f"http://127.0.0.1:{running.port}", transports=[transport])
        assert client.transport() == transport
        for word in ("one", "two"):
            came.clear()
            client.send(word)
            assert came.wait(20)
        client.disconnect()
        assert heard == ["ONE", "TWO"]
        assert "Traceback" not in running.said()


def test_the_folder_is_the_current_one(serve):
    with serve(
        "import os\ndef app(environ, start):\n    start('200 OK', [])\n    return [os.getcwd().encode()]\n"
    ) as running:
        assert running.get() == os.path.realpath(running.log.parent)
