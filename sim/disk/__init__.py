import asyncio, os, shutil, sqlite3, tempfile, time
from pathlib import Path
from journal.disk import OsDisk
class Inline:
    def __init__(self, connect): self._connect=connect; self._conn=None
    def __await__(self):
        async def go():
            await asyncio.sleep(0.0002); self._conn=self._connect(); return self
        return go().__await__()
    async def run(self,f):
        r=f(self._conn); await asyncio.sleep(0.0003); return r
    def run_here(self,f): return f(self._conn)
    async def close(self):
        if self._conn: self._conn.close()
    def join(self): pass
class Worker:
    def run(self,f):
        return asyncio.get_running_loop().run_in_executor(None,f)
    def close(self): pass
class Mount(OsDisk):
    def __init__(self, root): self.root=root
    def _p(self,path): return Path(self.root+str(path))
    def create(self,path): return super().create(self._p(path))
    def connect(self,path,**k): return super().connect(self._p(path),**k)
    def open_log(self,path,*,writable): return super().open_log(self._p(path),writable=writable)
    def thread(self,connect): return Inline(connect)
    def worker(self,name): return Worker()
class SimDisk:
    n=0
    def __init__(self, chance):
        SimDisk.n+=1
        self.root=tempfile.mkdtemp(prefix=f"sim{os.getpid()}-{SimDisk.n}-",dir="/dev/shm")
    def mount(self, life): return Mount(self.root)
    def crash(self,*,power):
        new=self.root+"x"; shutil.copytree(self.root,new); self.root=new
    def copy(self):
        d=SimDisk(None); shutil.rmtree(d.root); shutil.copytree(self.root,d.root); return d
