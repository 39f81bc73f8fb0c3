"""Users of Locust who call an echo and a menu. See docs/load.md.

locust -f examples/locustfile.py --headless --users 10 --spawn-rate 5 --run-time 20s --host ws://127.0.0.1:8080/
"""

from locust import between, task

from sipua.load.locust import SipUser


class Caller(SipUser):
    uri = "sip:alice@localhost"
    password = "secret"
    wait_time = between(0.5, 1.5)

    @task(3)
    def echo(self) -> None:
        self.client.call("600", talk=1)

    @task
    def busy(self) -> None:
        self.client.call("610", script="expect refused 486 within 5s")
