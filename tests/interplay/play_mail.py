"""smtplib against a mail server, with STARTTLS, and ftplib against a file server."""

import ftplib
import io
import smtplib
import ssl
from functools import partial
from pathlib import Path

import pytest

from tests.interplay import services
from tests.interplay.many import together
from tests.support.certificates import client_context

pytestmark = pytest.mark.usefixtures("hub")


def test_mails_after_starttls(certificates):
    with services.running("smtp", {"server.pem": Path(certificates["localhost"]).read_bytes()}) as server:

        def send(number):
            with smtplib.SMTP("localhost", server.port) as mail:
                mail.starttls(context=client_context(ssl))
                text = f"Subject: {number}\n\n" + "many lines\n" * 5000
                assert mail.sendmail("from@test", ["to@test"], text) == {}
                mail.noop()

        together([partial(send, i) for i in range(10)])
        mails = [path.read_text() for path in (server.folder / "mail" / "new").iterdir()]
        assert sorted(mail.partition("\n")[0] for mail in mails) == [f"Subject: {i}" for i in range(10)]
        assert all(mail.count("many lines") == 5000 for mail in mails)
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP("localhost", server.port)


def test_files_in_both_directions():
    with services.running("ftp") as server:

        def work(number):
            data = str(number).encode() * 300_000
            with ftplib.FTP() as ftp:
                ftp.connect("127.0.0.1", server.port)
                ftp.login("user", "secret")
                ftp.storbinary(f"STOR {number}", io.BytesIO(data))
                got = io.BytesIO()
                ftp.retrbinary(f"RETR {number}", got.write)
                assert got.getvalue() == data
                assert str(number) in ftp.nlst()
                with pytest.raises(ftplib.error_perm):
                    ftp.size("nothing")

        together([partial(work, i) for i in range(8)])
        ftp = ftplib.FTP()
        ftp.connect("127.0.0.1", server.port)
        server.kill()
        with pytest.raises(EOFError):
            ftp.login("user", "secret")
        ftp.close()
