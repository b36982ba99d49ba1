"""x"""
def add_full(*a): raise NotImplementedError
