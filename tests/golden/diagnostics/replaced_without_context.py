from beespace.lang import Program, freplace


class Probe(Program):
    @freplace("judge")
    def instead(self, ctx, number):
        return number
