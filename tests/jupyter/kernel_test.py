# SPDX-License-Identifier: MIT
"""The notebook's kernel by Jupyter's own tests of kernels, and what they leave out: interrupt, input,
order of what is printed, updates of a display, requests behind one that failed, restart."""
import unittest

import jupyter_kernel_test
from jupyter_client.manager import start_new_kernel

WAIT = 300  # seconds after which a kernel counts as stuck, however busy the machine is


class Protocol(jupyter_kernel_test.KernelTests):
    kernel_name = "perigee"
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print('hello, world')"
    code_stderr = "io.stderr:write('oops\\n')"
    completion_samples = [
        {"text": "pg.linspac", "matches": ["pg.linspace"]},
        {"text": "local y = 1\npg.plot.fig", "matches": ["pg.plot.figure"]},
        {"text": "x = 2 .. pg.linspac", "matches": ["pg.linspace"]},
    ]
    complete_code_samples = ["1", "print('x')", "for i = 1, 3 do print(i) end", "x = 1\nx", "?pg.svd"]
    incomplete_code_samples = ["for i = 1, 3 do", "x = {", "print('hallo',", "function f(x)\n  return x"]
    invalid_code_samples = ["for 1 = 2", "x = = 3", "import numpy as np", "end"]
    code_page_something = "?pg.linspace"
    code_generate_error = "error('boom')"
    code_execute_result = [
        {"code": "1 + 2", "result": "3"},
        {"code": "local a = 20\na * 2 + 2", "result": "42"},
        {"code": "a, a + 1", "result": "20\t21"},
        {"code": "pg.zeros(2, 2)", "mime": "text/html"},
        {"code": "pg.plot.figure{width = 200, height = 120}:line({1, 2, 3})", "mime": "image/png"},
        {"code": "{{a = 1, b = 'x'}, {a = 2, b = 'y'}}", "mime": "text/html"},
        {"code": "{a = {1, 2}, b = pg.array{3, 4}}", "mime": "text/html"},
    ]
    code_display_data = [
        {"code": "pg.plot.figure{width = 200, height = 120}:line({1, 2, 3}):show()", "mime": "image/png"},
        {"code": "pg.image.show(pg.zeros(8, 8))", "mime": "image/png"},
        {"code": "pg.notebook.show(pg.range(1, 3))", "mime": "text/html"},
        {"code": "for i in pg.progress(3, 'x') do end", "mime": "text/plain"},
    ]
    code_history_pattern = "1*2"
    supported_history_operations = ("tail", "search", "range")
    code_inspect_sample = "pg.linspace"
    code_clear_output = "pg.notebook.clear()"


class Beyond(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.km, cls.kc = start_new_kernel(startup_timeout=WAIT, kernel_name="perigee")

    @classmethod
    def tearDownClass(cls):
        cls.kc.stop_channels()
        cls.km.shutdown_kernel()

    def run_cell(self, code, **more):
        """The reply, and (kind, content) of what came, but states and the cell itself."""
        came = []

        def keep(msg):
            if msg["msg_type"] not in ("status", "execute_input"):
                came.append((msg["msg_type"], msg["content"]))

        reply = self.kc.execute_interactive(code, timeout=WAIT, output_hook=keep, **more)
        return reply["content"], came

    def text_of(self, came, name="stdout"):
        return "".join(c["text"] for kind, c in came if kind == "stream" and c["name"] == name)

    def test_interrupt(self):
        for code in ("while true do end",
                     "for i = 1, 1e9 do pg.zeros(2000, 2000):dot(pg.zeros(2000, 2000)) end",
                     "local f = coroutine.wrap(function() while true do end end) f()"):
            msg_id = self.kc.execute("print('on it') io.stdout:flush() pg.notebook.show(1)\n" + code)
            while self.kc.get_iopub_msg(timeout=WAIT)["msg_type"] != "display_data":
                pass
            self.km.interrupt_kernel()
            while True:
                reply = self.kc.get_shell_msg(timeout=WAIT)
                if reply["parent_header"]["msg_id"] == msg_id:
                    break
            self.assertEqual(reply["content"]["ename"], "interrupted", reply["content"])
            self.assertEqual(self.run_cell("1")[0]["status"], "ok")

    def test_interrupt_while_idle_is_nothing(self):
        self.km.interrupt_kernel()
        reply, _ = self.run_cell("1 + 1")
        self.assertEqual(reply["status"], "ok")

    def test_locals_stay_and_errors_have_traces(self):
        self.run_cell("local x = 3\nlocal function f(y)\n  error('no ' .. y)\nend\nlocal function g() f(x) f(x) end")
        reply, came = self.run_cell("g()\ng()")
        self.assertEqual(reply["status"], "error")
        self.assertIn("no 3", reply["evalue"])
        trace = "\n".join(reply["traceback"])
        self.assertIn("In[", trace)
        self.assertNotIn("perigee/private", trace)
        self.assertEqual([kind for kind, _ in came], ["error"])

    def test_hints(self):
        reply, _ = self.run_cell("x = 1\nx += 1")
        self.assertIn("x = x + 1", "\n".join(reply["traceback"]))

    def test_quiet(self):
        _, came = self.run_cell("1 + 1;")
        self.assertEqual(came, [])

    def test_figure_is_shown_once(self):
        _, came = self.run_cell("local fig = pg.plot.figure{width = 200, height = 120}:line({1, 2})\nfig:show()")
        self.assertEqual([kind for kind, _ in came], ["display_data"])

    def test_order_and_children(self):
        _, came = self.run_cell("print('a') io.stderr:write('b\\n') print('c')\npg.notebook.show(1)\nos.execute('echo d')")
        kinds = [(kind, c.get("name"), c.get("text")) for kind, c in came if kind != "execute_result"]
        self.assertEqual(kinds, [("stream", "stdout", "a\n"), ("stream", "stderr", "b\n"), ("stream", "stdout", "c\n"),
                                 ("display_data", None, None), ("stream", "stdout", "d\n")])

    def test_text_beyond_ascii_and_much(self):
        _, came = self.run_cell("for i = 1, 20000 do print('\u00e4\u20ac\U0001d11e' .. i) end")
        self.assertEqual(self.text_of(came), "".join("\u00e4\u20ac\U0001d11e%d\n" % i for i in range(1, 20001)))

    def test_progress_is_one_display_that_changes(self):
        _, came = self.run_cell("for i, bar in pg.progress(3) do bar.loss = i local t = pg.clock() "
                                "while pg.clock() < t + 0.15 do end end")
        kinds = [kind for kind, _ in came]
        self.assertEqual(kinds[0], "display_data")
        self.assertEqual(set(kinds[1:]), {"update_display_data"})
        ids = {c["transient"]["display_id"] for _, c in came}
        self.assertEqual(len(ids), 1)
        self.assertIn("3/3", came[-1][1]["data"]["text/plain"])

    def test_input(self):
        def answer(msg):
            self.kc.input("17")

        _, came = self.run_cell("local n = io.read('n')\nprint(n + 1, io.read())", allow_stdin=True, stdin_hook=answer)
        self.assertEqual(self.text_of(came), "18\t17\n")
        reply, _ = self.run_cell("io.read()", allow_stdin=False)
        self.assertEqual(reply["status"], "error")

    def test_what_stands_behind_a_failed_cell_is_not_run(self):
        ids = [self.kc.execute(code) for code in ("local t = pg.clock() while pg.clock() < t + 0.5 do end error('x')",
                                                  "ran = true", "ran = true")]
        states = {}
        while len(states) < 3:
            reply = self.kc.get_shell_msg(timeout=WAIT)
            if reply["parent_header"]["msg_id"] in ids:
                states[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
        self.assertEqual([states[i] for i in ids], ["error", "aborted", "aborted"])
        _, came = self.run_cell("ran == nil")
        self.assertEqual(came[-1][1]["data"]["text/plain"], "true")

    def test_expressions(self):
        reply, _ = self.run_cell("v = 3", user_expressions={"a": "v + 1", "b": "nothing.x"})
        self.assertEqual(reply["user_expressions"]["a"]["data"]["text/plain"], "4")
        self.assertEqual(reply["user_expressions"]["b"]["status"], "error")

    def test_inspect(self):
        self.run_cell("local rows = pg.zeros(2, 3)")
        for code, place, want in (("pg.linspace(0, ", 15, "linspace"), ("rows:sum(1)", 6, "sum"), ("rows", 2, "2x3")):
            msg_id = self.kc.inspect(code, place)
            while True:
                reply = self.kc.get_shell_msg(timeout=WAIT)
                if reply["parent_header"]["msg_id"] == msg_id:
                    break
            self.assertTrue(reply["content"]["found"], code)
            self.assertIn(want, reply["content"]["data"]["text/plain"])

    def test_restart(self):
        self.run_cell("kept = 1")
        self.km.restart_kernel(now=False)
        self.kc.wait_for_ready(timeout=WAIT)
        reply, came = self.run_cell("kept == nil")
        self.assertEqual(came[-1][1]["data"]["text/plain"], "true")
        self.assertEqual(reply["execution_count"], 1)

    def test_memory_runs_out(self):
        reply, _ = self.run_cell("local a = pg.zeros(1e8, 1e5)")
        self.assertEqual(reply["status"], "error")


if __name__ == "__main__":
    unittest.main(verbosity=1)
