"""Socket options of a cgroup: the kind of service is what the policy says, whatever programs set; one option is new."""

from beespace import Counter, Program, Struct, bpf
from beespace.lang import SocketStorage, cgroup_sockopt
from beespace.types import i32, u8, u32


class Number(Struct):
    value: u32


class Label(Struct):
    value: u8


class Options(Program):
    """Forbids marks, sets the type of service, and keeps a label of each socket at a level that the kernel has not."""

    service: u32 = 0x28
    level: i32 = 0xBEE
    labels = SocketStorage(Label)
    refused = Counter()

    @cgroup_sockopt("set")
    def on_set(self, ctx):
        match ctx.level, ctx.optname:
            case 0, 1:  # IP_TOS
                number = bpf.packet(ctx, Number, 0)
                if number is None:
                    return False
                number.value = self.service
            case 1, 36:  # SO_MARK
                self.refused += 1
                return False
            case level, _ if level == self.level:
                given = bpf.packet(ctx, Label, 0)
                label = self.labels.get_or_create(ctx.sk)
                if given is None or label is None:
                    return False
                label.value = given.value
                ctx.optlen = -1  # the kernel is not asked
        return True

    @cgroup_sockopt("get")
    def on_get(self, ctx):
        if ctx.level == self.level:
            place = bpf.packet(ctx, Label, 0)
            label = self.labels.get(ctx.sk)
            if place is None or label is None:
                return False
            place.value = label.value
            ctx.optlen = 1
            ctx.retval = 0
        return True


if __name__ == "__main__":
    import sys
    import time

    with Options().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print(probe.refused.value, "marks refused")
