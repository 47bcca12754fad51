from beespace.lang import Array, Hash, Program, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    numbers = Array(u64, 24)
    first = Hash(key=u32, value=u64)
    second = Hash(key=u32, value=u64)
    third = Hash(key=u32, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        v0 = self.numbers[0]
        v1 = self.numbers[1]
        v2 = self.numbers[2]
        v3 = self.numbers[3]
        v4 = self.numbers[4]
        v5 = self.numbers[5]
        v6 = self.numbers[6]
        v7 = self.numbers[7]
        v8 = self.numbers[8]
        v9 = self.numbers[9]
        v10 = self.numbers[10]
        v11 = self.numbers[11]
        v12 = self.numbers[12]
        v13 = self.numbers[13]
        v14 = self.numbers[14]
        v15 = self.numbers[15]
        v16 = self.numbers[16]
        v17 = self.numbers[17]
        v18 = self.numbers[18]
        v19 = self.numbers[19]
        v20 = self.numbers[20]
        v21 = self.numbers[21]
        v22 = self.numbers[22]
        v23 = self.numbers[23]
        for x in self.first.values():
            v0 += x; v1 += x; v2 += x; v3 += x; v4 += x; v5 += x; v6 += x; v7 += x
            v8 += x; v9 += x; v10 += x; v11 += x; v12 += x; v13 += x; v14 += x; v15 += x
            v16 += x; v17 += x; v18 += x; v19 += x; v20 += x; v21 += x; v22 += x; v23 += x
            for y in self.second.values():
                v0 ^= y; v1 ^= y; v2 ^= y; v3 ^= y; v4 ^= y; v5 ^= y; v6 ^= y; v7 ^= y
                v8 ^= y; v9 ^= y; v10 ^= y; v11 ^= y; v12 ^= y; v13 ^= y; v14 ^= y; v15 ^= y
                v16 ^= y; v17 ^= y; v18 ^= y; v19 ^= y; v20 ^= y; v21 ^= y; v22 ^= y; v23 ^= y
                for z in self.third.values():
                    v0 -= z; v1 -= z; v2 -= z; v3 -= z; v4 -= z; v5 -= z; v6 -= z; v7 -= z
                    v8 -= z; v9 -= z; v10 -= z; v11 -= z; v12 -= z; v13 -= z; v14 -= z; v15 -= z
                    v16 -= z; v17 -= z; v18 -= z; v19 -= z; v20 -= z; v21 -= z; v22 -= z; v23 -= z
        self.numbers[0] = v0
        self.numbers[1] = v1
        self.numbers[2] = v2
        self.numbers[3] = v3
        self.numbers[4] = v4
        self.numbers[5] = v5
        self.numbers[6] = v6
        self.numbers[7] = v7
        self.numbers[8] = v8
        self.numbers[9] = v9
        self.numbers[10] = v10
        self.numbers[11] = v11
        self.numbers[12] = v12
        self.numbers[13] = v13
        self.numbers[14] = v14
        self.numbers[15] = v15
        self.numbers[16] = v16
        self.numbers[17] = v17
        self.numbers[18] = v18
        self.numbers[19] = v19
        self.numbers[20] = v20
        self.numbers[21] = v21
        self.numbers[22] = v22
        self.numbers[23] = v23
