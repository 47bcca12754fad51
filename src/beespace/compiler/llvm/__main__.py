"""The process that runs LLVM: text in, object out, over pipes; started by :mod:`beespace.compiler.worker`.

Run by its path, so it imports nothing of ours, and LLVM's ways of failing (exit, abort, fault) end this
process alone.  One request: a line of JSON (``cpu``, ``size``) and ``size`` bytes of LLVM assembly.  One answer: a
line of JSON (``size``, or ``error``, or ``missing``) and ``size`` bytes of ELF.  It ends when its input does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import ExitStack, closing
from typing import Any, BinaryIO


def compile_text(llvm: Any, text: str, cpu: str) -> bytes:
    """LLVM assembly to an object, of native code in ELF if ``cpu`` is "native"; RuntimeError if LLVM can say what is
    wrong, else the process ends."""
    triple = "bpfel" if cpu != "native" else f"{llvm.get_process_triple().partition('-')[0]}-unknown-linux-gnu"
    target = llvm.Target.from_triple(triple)
    if cpu == "native":
        cpu = ""  # any of the kind
    # Closed in reverse: LLVM's objects must go before what they were made in, whatever the collector thinks.
    with ExitStack() as stack:
        context = llvm.create_context()
        machine = target.create_target_machine(cpu=cpu, features="", opt=2, reloc="default", codemodel="default")
        stack.enter_context(closing(machine))
        module = stack.enter_context(closing(llvm.parse_assembly(text, context)))
        module.triple = triple
        module.verify()
        tuning = stack.enter_context(closing(llvm.create_pipeline_tuning_options(speed_level=2)))
        tuning.loop_vectorization = False
        tuning.slp_vectorization = False
        builder = stack.enter_context(closing(llvm.create_pass_builder(machine, tuning)))
        passes = stack.enter_context(closing(builder.getModulePassManager()))
        passes.run(module, builder)
        return bytes(machine.emit_object(module))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no more requests."""
    try:
        import llvmlite.binding as llvm
    except ImportError as error:
        _answer(answers, {"missing": str(error)})
        return
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    while line := requests.readline():
        request = json.loads(line)
        text = requests.read(request["size"]).decode()
        try:
            _answer(answers, {}, compile_text(llvm, text, request["cpu"]))
        except RuntimeError as error:
            _answer(answers, {"error": str(error)})


def _answer(answers: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    answers.write(json.dumps({**head, "size": len(body)}).encode() + b"\n" + body)
    answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    serve(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)  # everything is answered; taking LLVM apart takes 20 ms, which the parent would wait for
